"""The guide to channel adapters does what it says, against the running house."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.flow.house import House

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "channel-adapter.md"


def blocks(language: str) -> list[str]:
    """The guide's code in one language, block by block."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_guide_runs_from_the_first_line_to_the_last(desk: House) -> None:
    environment = {**os.environ, **desk.environment}
    (shell,) = blocks("sh")
    words = shell.split()
    assert words[0] == "parley"
    command = [sys.executable, "-m", "parley.cli", *words[1:]]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
    given = {"PARLEY_KEY": made.stdout.strip(), "PARLEY_GATEWAY_URL": desk.url, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", "\n".join(blocks("python"))]
    done = subprocess.run(
        command, env={**environment, **given}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "wxid_wang ←" in done.stdout
