"""A copy of what a new service touches, and commands that run in it."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parents[3]


def a_checkout(root: Path) -> Path:
    """pyproject.toml and the tutorial, with the libraries of this tree."""
    shutil.copy(HERE / "pyproject.toml", root)
    (root / "libs").symlink_to(HERE / "libs")
    shutil.copytree(HERE / "services" / "hello", root / "services" / "hello")
    return root


def run(root: Path, *command: str) -> str:
    """Run a module of this environment, with the checkout's services before what is installed."""
    services = [str(folder) for folder in (root / "services").iterdir()]
    done = subprocess.run(
        [sys.executable, "-m", *command],
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*services, str(root)])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def register(root: Path) -> None:
    """What an installation does with pyproject.toml's entry points."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = project["entry-points"]["parley.services"]
    installed = root / f"parley-{project['version']}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: parley\nVersion: {project['version']}\n")
    lines = [f"{name} = {target}" for name, target in entries.items()]
    (installed / "entry_points.txt").write_text("\n".join(["[parley.services]", *lines, ""]))
