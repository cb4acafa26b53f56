"""`make` speaks first, installs what it needs, and says what to type where it cannot."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.sub(r"\\\n", " ", MAKEFILE).split(".PHONY:")[1].split("\n")[0].split())


def make(*arguments: str) -> "subprocess.CompletedProcess[str]":
    # Called by `make check`, it must not speak as that make's child ("Entering directory ...").
    outer = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    command = ["make", *arguments]
    return subprocess.run(command, cwd=ROOT, env=outer, capture_output=True, text=True, timeout=120, check=False)


def a_python(folder: Path, *, version: str = "3.11.2", modules: bool) -> None:
    """A `python3` that says its version and has, or has not, the modules that make a virtual environment."""
    old = version < "3.11"
    script = f"""#!/bin/sh
case "$2" in
    *version_info*) exit {int(old)} ;;
    *ensurepip*) exit {int(not modules)} ;;
esac
[ "$1" = --version ] && echo "Python {version}"
[ "$1 $2" = "-m venv" ] && mkdir "$3"
exit 0
"""
    place(folder / "python3", script)


def place(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def make_venv(tools: Path, venv: Path) -> "subprocess.CompletedProcess[str]":
    """The script behind every target, on a machine that has nothing but `tools`."""
    for name in ("id", "mkdir"):
        if not (tools / name).exists():
            (tools / name).symlink_to(f"/usr/bin/{name}")
    command = ["/bin/sh", str(ROOT / "deploy" / "make_venv.sh"), str(venv)]
    environment = {"PATH": str(tools), "PYTHON": "python3"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    place(folder / "id", "#!/bin/sh\necho 1000\n")
    return folder


def test_make_alone_prints_one_line_for_every_target() -> None:
    printed = make()
    assert printed.returncode == 0
    lines = dict(line.split(maxsplit=2)[1:] for line in printed.stdout.splitlines())
    assert set(lines) == TARGETS
    assert max(map(len, printed.stdout.splitlines())) <= 120


def test_every_target_that_needs_python_makes_its_environment_itself() -> None:
    rules = {}
    for name, needs, recipe in re.findall(r"^([a-z-]+):(.*?)##.*\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE):
        rules[name] = needs
        assert "$(BIN)" not in recipe or "$(VENV)/." in needs, f"`make {name}` uses .venv and does not make it"
    assert "$(VENV)/.tools" not in rules["run"], "`make run` must install the product only"


def test_a_new_service_without_a_name_is_told_what_to_type() -> None:
    refused = make("new-service", "-o", ".venv/.product")
    assert refused.returncode != 0
    assert "make new-service NAME=translator" in refused.stderr


def test_where_venv_is_missing_uv_is_used(tools: Path, tmp_path: Path) -> None:
    a_python(tools, modules=False)
    place(tools / "uv", '#!/bin/sh\nfor last; do :; done\nmkdir "$last"\n')
    assert make_venv(tools, tmp_path / "venv").returncode == 0
    assert (tmp_path / "venv").is_dir()


def test_where_nothing_can_make_it_the_one_command_is_named(tools: Path, tmp_path: Path) -> None:
    a_python(tools, modules=False)
    refused = make_venv(tools, tmp_path / "venv")
    assert refused.returncode == 1
    assert refused.stderr.endswith("sudo apt-get install python3-venv\n")


def test_root_installs_the_missing_module(tools: Path, tmp_path: Path) -> None:
    a_python(tools, modules=False)
    place(tools / "id", "#!/bin/sh\necho 0\n")
    place(tools / "apt-get", f'#!/bin/sh\necho "$@" >> {tmp_path}/installed\n')
    assert make_venv(tools, tmp_path / "venv").returncode == 0
    assert "python3-venv" in (tmp_path / "installed").read_text()


def test_an_old_python_is_refused_with_the_way_to_name_another(tools: Path, tmp_path: Path) -> None:
    a_python(tools, version="3.10.12", modules=True)
    refused = make_venv(tools, tmp_path / "venv")
    assert refused.returncode == 1
    assert "needs Python 3.11 or newer; Python 3.10.12 was found" in refused.stderr
    assert "make PYTHON=" in refused.stderr


def test_continuous_integration_runs_what_a_person_runs() -> None:
    assert "bash .ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    script = (ROOT / ".ci" / "run").read_text()
    assert script.rstrip().endswith("make test")
    assert "make check" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_locks_hold_hashes_and_no_addresses() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text()
        assert "://" not in text, f"{lock.name} holds an address"
        pinned = re.findall(r"^[A-Za-z0-9_.-]+(?:\[[^\]]*\])?==\S+.*$", text, re.MULTILINE)
        assert pinned
        assert all(line.rstrip().endswith("\\") for line in pinned), f"{lock.name} has a name without hashes"


def test_what_the_product_is_locked_to_is_what_is_tested() -> None:
    pins = [
        dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))
        for name in ("all.txt", "dev.txt")
    ]
    product, tested = pins
    assert {name: tested.get(name) for name in product} == product
