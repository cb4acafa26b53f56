"""CONTRIBUTING's worked example, executed: made, written as the page says, linted, tested and listed."""

import re
from pathlib import Path

import pytest

from parley.cli.scaffold import ServiceName, create_service
from tests.unit.cli.checkout import HERE, a_checkout, register, run

PAGE = (HERE / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```python\n(# (\S+)\n.*?)```", re.DOTALL)


@pytest.mark.slow
def test_the_service_of_the_page_passes_its_tests_and_the_linter_and_is_listed(tmp_path: Path) -> None:
    checkout = a_checkout(tmp_path)
    create_service(checkout, ServiceName.parse("after-hours"))
    blocks = {place: code for code, place in BLOCK.findall(PAGE)}
    assert len(blocks) == 3
    for place, code in blocks.items():
        assert (checkout / place).exists(), f"the page writes {place}, which `parley new-service` does not make"
        (checkout / place).write_text(code, encoding="utf-8")
    register(checkout)
    places = ["services/after_hours", "tests/unit/after_hours"]
    run(checkout, "ruff", "check", "--no-cache", *places)
    run(checkout, "ruff", "format", "--no-cache", "--check", *places)
    assert "3 passed" in run(checkout, "pytest", "tests/unit/after_hours", "-p", "no:cacheprovider")
    assert "after-hours" in run(checkout, "parley.cli", "list")


def test_the_page_shows_the_folder_that_is_made(tmp_path: Path) -> None:
    made = {str(path) for path in create_service(a_checkout(tmp_path), ServiceName.parse("after-hours"))}
    shown = set(re.findall(r"^((?:services|tests)/\S+after_hours\S+)  ", PAGE, re.MULTILINE))
    assert shown
    assert shown <= made
