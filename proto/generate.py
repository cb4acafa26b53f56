"""Generate Python from the proto files and the front door that re-exports every name. Run by `make proto`."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("parley/contracts/v1")


def generate(target: Path) -> None:
    """Call protoc with the Python, gRPC and type-stub plugins; everything goes under `target`."""
    protos = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "proto" / PACKAGE).glob("*.proto"))
    outputs = [f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "grpc_tools.protoc", "-Iproto", *outputs, *protos]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "PATH": path}, stderr=subprocess.DEVNULL)
    for proto in (ROOT / "proto" / PACKAGE).glob("*.proto"):
        if not re.search(r"^service ", proto.read_text(), re.MULTILINE):
            for stub in (target / PACKAGE).glob(f"{proto.stem}_pb2_grpc.py*"):
                stub.unlink()


def exported_names(proto: Path) -> dict[str, list[str]]:
    """Module name -> public names of one proto file: its messages and enums, and its services' three classes."""
    source = proto.read_text()
    names = {f"{proto.stem}_pb2": sorted(re.findall(r"^(?:message|enum) (\w+)", source, re.MULTILINE))}
    services = re.findall(r"^service (\w+)", source, re.MULTILINE)
    classes = [name for s in services for name in (f"{s}Stub", f"{s}Servicer", f"add_{s}Servicer_to_server")]
    return {**names, **({f"{proto.stem}_pb2_grpc": classes} if classes else {})}


def write_front_door(target: Path) -> None:
    """Write `__init__.py`, so that callers import names and never a `_pb2` module."""
    modules: dict[str, list[str]] = {}
    for proto in sorted((ROOT / "proto" / PACKAGE).glob("*.proto")):
        modules |= exported_names(proto)
    imports = [import_of(module, names) for module, names in sorted(modules.items())]
    typed = {module: async_stubs(names) for module, names in sorted(modules.items()) if async_stubs(names)}
    checked = [textwrap.indent(import_of(module, names), "    ") for module, names in typed.items()]
    aliases = [f"    {name} = {name.replace('AsyncStub', 'Stub')}" for names in typed.values() for name in names]
    public = sorted(name for names in [*modules.values(), *typed.values()] for name in names)
    lines = [
        '"""Every message and service of contracts v1, by name. Made by `make proto`."""\n',
        "from typing import TYPE_CHECKING\n",
        *imports,
        "\n# The stub of an asyncio channel is a type of its own to the type checker, and the same class when it runs.",
        "if TYPE_CHECKING:",
        *checked,
        "else:",
        *aliases,
        "\n__all__ = [\n" + "".join(f'    "{name}",\n' for name in public) + "]\n",
    ]
    (target / PACKAGE / "__init__.py").write_text("\n".join(lines))


def import_of(module: str, names: list[str]) -> str:
    """One import statement."""
    return f"from parley.contracts.v1.{module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


def async_stubs(names: list[str]) -> list[str]:
    """The asyncio stubs among a module's names."""
    return [name.replace("Stub", "AsyncStub") for name in names if name.endswith("Stub")]


if __name__ == "__main__":
    chosen = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else ROOT / "libs"
    generate(chosen)
    write_front_door(chosen)
