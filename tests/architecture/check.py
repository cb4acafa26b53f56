"""`make check`: every static check at once, each one's output whole, a line per check at the end."""

import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
CHECKS: dict[str, list[str]] = {
    "ruff": [str(BIN / "ruff"), "check", "--quiet", "."],
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "."],
    "types": [str(BIN / "mypy"), "libs", "services", "tests", "benchmarks", "evaluation"],
    "walls": [str(BIN / "lint-imports")],
    "buf lint": [str(BIN / "buf"), "lint"],
    "buf format": [str(BIN / "buf"), "format", "--diff", "--exit-code"],
    "buf breaking": [str(BIN / "buf"), "breaking", "--against", "proto/image.binpb"],
    "generated": [sys.executable, "-m", "tests.architecture.check", "generated"],
    "deploy": [sys.executable, "deploy/check.py"],
    "architecture": [sys.executable, "-m", "pytest", "tests/architecture", "-m", "not slow", "-q"],
}


def run(name: str) -> tuple[str, int, str, float]:
    """One check: its exit code, its output and its time."""
    began = time.monotonic()
    done = subprocess.run(CHECKS[name], cwd=ROOT, capture_output=True, text=True, check=False)
    return name, done.returncode, done.stdout + done.stderr, time.monotonic() - began


def generated() -> int:
    """Whether the checked-in contracts are what `make proto` makes of the proto files."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "proto/generate.py", folder], cwd=ROOT, check=True)
        fresh, kept = Path(folder) / "parley/contracts/v1", ROOT / "libs/parley/contracts/v1"
        names = {path.name for where in (fresh, kept) for path in where.glob("*.py*")}
        stale = [n for n in sorted(names) if _bytes(fresh / n) != _bytes(kept / n)]
    if stale:
        print(f"run `make proto`: {', '.join(stale)} are not what proto/ says")
    return 1 if stale else 0


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def main() -> int:
    """Two at a time, the slowest first; the exit code."""
    failed = []
    with ThreadPoolExecutor(2) as pool:
        for name, code, output, seconds in pool.map(run, ["types", *(n for n in CHECKS if n != "types")]):
            print(f"{'ok  ' if code == 0 else 'FAIL'} {name:14} {seconds:5.1f} s", flush=True)
            if code:
                failed.append(name)
                print(output)
    print("all checks pass" if not failed else f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(generated() if sys.argv[1:] == ["generated"] else main())
