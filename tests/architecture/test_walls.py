"""The walls that import contracts cannot say: who may use which library, who reads the environment, what stays pure."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*ROOT.glob("libs/parley/**/*.py"), *ROOT.glob("services/*/*/**/*.py")]

# library -> (where it may be imported, what to do instead)
KEEPERS: dict[str, tuple[tuple[str, ...], str]] = {
    "aio_pika": (("libs/parley/bus/adapters/rabbit/*",), "publish through ctx.publish, read with service.consumes"),
    "aiormq": (("libs/parley/bus/adapters/rabbit/*",), "publish through ctx.publish, read with service.consumes"),
    "motor": (("*/store/mongo*", "*/access/mongo*", "libs/parley/database/*"), "ask the service's store port"),
    "pymongo": (
        ("*/store/mongo*", "*/access/mongo*", "libs/parley/database/*", "libs/parley/testing/*"),
        "ask the service's store port",
    ),
    "fastapi": (("services/gateway/*",), "only the gateway is a public door; serve gRPC or observe events"),
    "socketio": (("services/gateway/*",), "only the gateway speaks to visitors"),
    "uvicorn": (("services/gateway/*", "libs/parley/service/health.py"), "serve_http of parley.service.health"),
    "openai": (
        ("services/ai_engine/parley_ai_engine/providers/openai_*", "*/parley_knowledge/vectors/openai_*"),
        "ask the Model port, or knowledge's Embedder",
    ),
    "faiss": (("*/parley_knowledge/vectors/faiss_*",), "ask knowledge's VectorStore port"),
    "anthropic": (("services/ai_engine/parley_ai_engine/providers/anthropic*",), "ask the Model port"),
}
PURE = (
    "services/session_router/parley_session_router/machine/*.py",
    "services/ai_engine/parley_ai_engine/dialogue/*.py",
)
IMPURE = {"asyncio", "random", "secrets", "time", "socket", "subprocess", "threading", "os", "pathlib", "logging"}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    return tuple(_imports(tree_of(path)))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("library", sorted(KEEPERS))
def test_a_library_is_imported_only_by_its_keeper(library: str) -> None:
    allowed, instead = KEEPERS[library]
    trespassers = [
        place(path)
        for path in SOURCES
        if any(name.split(".")[0] == library for name in imports_of(path))
        and not any(fnmatch(place(path), pattern) for pattern in allowed)
    ]
    assert not trespassers, f"{library} is kept in {', '.join(allowed)}; in {trespassers}: {instead}"


def test_only_settings_read_the_environment() -> None:
    """Tests and their servers start processes, which takes the environment along."""
    readers = [
        place(path)
        for path in SOURCES
        if place(path) != "libs/parley/core/settings.py"
        and not place(path).startswith("libs/parley/testing/")
        and any(
            isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
            for node in ast.walk(tree_of(path))
        )
    ]
    assert not readers, f"{readers} read the environment: make it a field of a Settings class, which explains itself"


@pytest.mark.parametrize("path", [p for pattern in PURE for p in ROOT.glob(pattern)], ids=place)
def test_the_middle_is_pure(path: Path) -> None:
    found = {name.split(".")[0] for name in imports_of(path)} & IMPURE
    assert not found, f"{place(path)} imports {found}: the middle takes values and returns values; hand them in"


def test_every_service_has_the_same_front_rooms() -> None:
    for folder in sorted(ROOT.glob("services/*/parley_*")):
        missing = [name for name in ("service.py", "settings.py") if not (folder / name).exists()]
        assert not missing or folder.name == "parley_hello", f"{place(folder)} lacks {missing}"
        assert (folder.parent / "README.md").exists(), (
            f"{place(folder.parent)} has no README.md: queues, gRPC, settings"
        )
