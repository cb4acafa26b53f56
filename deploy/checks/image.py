"""The image file: linted, short, and without anything of the machine that builds it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.checks.names import ROOT

FILE = ROOT / "deploy/Dockerfile"
SCRIPT = ROOT / "deploy/build_image.sh"
LONGEST = 60
TOOL = Path(sys.executable).parent / "hadolint"


def problems() -> Iterator[str]:
    """What is wrong with the image file and the script that builds it."""
    lint = subprocess.run([str(TOOL), "--no-color", str(FILE)], capture_output=True, text=True, check=False)
    if lint.returncode:
        yield lint.stdout.strip() or lint.stderr.strip()
    syntax = subprocess.run(["bash", "-n", str(SCRIPT)], capture_output=True, text=True, check=False)
    if syntax.returncode:
        yield syntax.stderr.strip()
    lines = FILE.read_text(encoding="utf-8").splitlines()
    if len(lines) >= LONGEST:
        yield f"{FILE.name} has {len(lines)} lines; under {LONGEST} it can be read at a glance"
