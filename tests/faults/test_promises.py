"""Each promise is held by a line, and by a test that is red without it: tests/faults/README.md, line by line."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"^\| (?P<promise>[^|]+) \| `(?P<file>[^`]+)` \| `(?P<line>[^`]+)` \| `(?P<test>[^`]+)` \|$", re.MULTILINE
)
ROWS = [row.groupdict() for row in ROW.finditer((ROOT / "tests" / "faults" / "README.md").read_text(encoding="utf-8"))]
COPIED = ("libs", "services", "tests", "pyproject.toml")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the tests need."""
    copy = tmp_path_factory.mktemp("tree")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "static", "golden"))
        else:
            shutil.copy(source, copy / name)
    return copy


def run(tree: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """These tests, on the code of the copy."""
    paths = [tree, tree / "libs", *sorted((tree / "services").iterdir())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_with_every_line_in_its_place_all_are_green(tree: Path) -> None:
    assert len(ROWS) >= 5
    done = run(tree, *(row["test"] for row in ROWS))
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("row", ROWS, ids=[row["promise"] for row in ROWS])
def test_without_its_line_a_promise_is_red(tree: Path, row: dict[str, str]) -> None:
    file = tree / row["file"]
    text = file.read_text(encoding="utf-8")
    without, taken = re.subn(rf"^( *){re.escape(row['line'])}$", r"\1pass", text, flags=re.MULTILINE)
    assert taken == 1, f"{row['file']} has this line {taken} times: {row['line']}"
    try:
        file.write_text(without, encoding="utf-8")
        done = run(tree, row["test"])
    finally:
        file.write_text(text, encoding="utf-8")
    assert done.returncode == 1, (
        "red is what was expected of a failed test, not of a broken run: " + done.stdout[-2000:]
    )
