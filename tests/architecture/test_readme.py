"""What README says is executed."""

import re
import shlex
from pathlib import Path

import click
import pytest

from parley.cli import main
from parley.contracts.v1 import SendMessage
from parley.service import Service
from parley.testing import TestBench
from parley.testing.builders import a_message_stored

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PROSE = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


async def test_the_service_in_twenty_lines_is_a_service() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    service = names["service"]
    assert isinstance(service, Service)
    async with TestBench[None](service) as bench:
        await bench.publish(a_message_stored("Hello Parley!"))
        await bench.settled()
        assert [sent.text for sent in bench.sent(SendMessage)] == ["Hello! How can I help?"]


def test_the_tutorial_service_is_the_one_in_the_readme() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert code == (ROOT / "services/hello/parley_hello/service.py").read_text()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`|; )make ([a-z][a-z-]+)", README, re.MULTILINE))))
def test_every_make_target_that_the_readme_names_exists(target: str) -> None:
    assert target in MAKE_TARGETS


@pytest.mark.parametrize("line", sorted(set(re.findall(r"\.venv/bin/parley ([^\n#)`]+)", README))))
def test_every_command_that_the_readme_names_exists(line: str) -> None:
    words = [word for word in shlex.split(line.strip()) if not word.startswith("-")]
    command: object = main
    for word in words:
        found = command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
        if found is None:
            break
        command = found
    assert command is not main, f"parley {line} is not a command"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#:]+)\)", PROSE))))
def test_every_file_that_the_readme_links_to_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/.]+)`", README))))
def test_every_test_that_a_promise_names_exists(path: str) -> None:
    assert (ROOT / path).exists()
