"""The guide to testing does what it says: each of its Python blocks is a test file that passes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "testing.md"
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def run(folder: Path, block: str) -> None:
    file = folder / "test_block.py"
    file.write_text(block, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_bench(tmp_path: Path) -> None:
    run(tmp_path, BLOCKS[0])


@pytest.mark.slow
def test_processes_a_bad_network_and_a_ledger(tmp_path: Path) -> None:
    run(tmp_path, BLOCKS[1])


@pytest.mark.connected
def test_a_real_server(tmp_path: Path) -> None:
    run(tmp_path, BLOCKS[2])


def test_no_block_is_left_out() -> None:
    assert len(BLOCKS) == 3
