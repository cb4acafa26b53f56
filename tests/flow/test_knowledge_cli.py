"""`knowledge-cli`: a process of its own against a running service; within the test where no service is needed."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from parley_knowledge.cli import main
from tests.flow.knowledge_service import Knowledge, a_knowledge_service

COMMAND = str(Path(sys.executable).with_name("knowledge-cli"))


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def cli(home: Path, *arguments: str | Path, **environment: str) -> Outcome:
    env = {**os.environ, "PARLEY_HOME": str(home), "COLUMNS": "200", **environment}
    process = await asyncio.create_subprocess_exec(
        COMMAND, *map(str, arguments), env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return Outcome(process.returncode or 0, out.decode(), err.decode())


def here(home: Path, *arguments: str | Path, **environment: str) -> Outcome:
    """The same command without the second that a new process takes."""
    env = {"PARLEY_HOME": str(home), "COLUMNS": "200", **environment}
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], env=env)
    return Outcome(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    handbook = tmp_path / "handbook"
    handbook.mkdir()
    (handbook / "退货.md").write_text("# 退货\n签收后七天内可以退货。", "utf-8")
    (handbook / "faq.json").write_text(
        '[{"question": "Open?", "answer": "Nine to eight."}, {"question": "?"}]', "utf-8"
    )
    (handbook / "broken.md").write_bytes(b"\x00\x01\x02" * 100)
    (handbook / "logo.png").write_bytes(b"\x89PNG")
    return handbook


@pytest.fixture
async def knowledge() -> AsyncIterator[Knowledge]:
    async with a_knowledge_service() as running:
        yield running


async def test_a_folder_is_taught_asked_and_removed(knowledge: Knowledge, folder: Path) -> None:
    taught = await cli(knowledge.home, "ingest", folder)
    assert taught.code == 1, taught
    assert "2 documents in 2 passages from 3 files: 2 new, 0 changed, 0 unchanged; 2 refused, 1 left out" in taught.out
    assert "refused: handbook/broken.md is binary, not text" in taught.err
    assert "refused: handbook/faq.json#2 has no text" in taught.err
    assert "left out: handbook/logo.png" in taught.err
    await knowledge.until(lambda: knowledge.finds("退货", "七天"))

    answer = await cli(knowledge.home, "search", "几天内可以退货", "--json")
    assert answer.code == 0, answer
    assert answer.json["passages"][0]["uri"] == "handbook/退货.md"
    removed = await cli(knowledge.home, "remove", "handbook/退货.md", "doc_unknown")
    assert removed.code == 1
    assert removed.out == "removed handbook/退货.md\nthere is no document doc_unknown\n"


def test_teaching_again_changes_nothing(tmp_path: Path, folder: Path) -> None:
    (folder / "broken.md").unlink()
    (folder / "faq.json").unlink()
    home = tmp_path / "home"
    first = here(home, "ingest", folder, "--offline", "--json")
    again = here(home, "ingest", folder / "退货.md", folder, "--offline", "--json", "--tenant", "demo")
    assert (first.code, first.json["added"]) == (0, 1)
    assert (again.code, again.json["unchanged"]) == (0, 1)
    assert again.json["added"] == 1  # named by itself a file is another document than within its folder


def test_without_a_service_one_is_told_how_to_start_it(tmp_path: Path, folder: Path) -> None:
    outcome = here(tmp_path, "ingest", folder)
    assert outcome.code == 3
    assert "Start one with `parley run knowledge`" in outcome.err
    assert "--offline" in outcome.err
    assert "Traceback" not in outcome.err


def test_offline_the_database_itself_is_taught_and_searched(tmp_path: Path, folder: Path) -> None:
    here(tmp_path, "ingest", folder, "--offline")
    answer = here(tmp_path, "search", "几天内可以退货", "--offline")
    assert answer.code == 0, answer
    assert "签收后七天内可以退货。" in answer.out
    listed = here(tmp_path, "list", "--offline", "--json")
    assert [d["uri"] for d in listed.json] == ["handbook/faq.json#1", "handbook/退货.md"]
    nothing = here(tmp_path, "search", "退货", "--offline", "--tenant", "另一家店")
    assert (nothing.code, nothing.out) == (1, "nothing is known about that\n")


async def test_what_was_taught_offline_reaches_the_running_service(knowledge: Knowledge, folder: Path) -> None:
    await cli(knowledge.home, "ingest", folder, "--offline")
    await knowledge.until(lambda: knowledge.finds("退货", "七天"))


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (("ingest", "/no/such/folder"), {}, "does not exist"),
        (("ingest",), {}, "Missing argument"),
        (("search", "退货", "--limit", "0"), {}, "--limit"),
        (("list", "--offline"), {"PARLEY_DATABASE_URL": "mysql://x"}, "expected sqlite:///path or mongodb://"),
        (("list",), {"PARLEY_SHARDS": "many"}, "PARLEY_SHARDS"),
    ],
)
def test_wrong_usage_ends_with_what_to_type(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], says: str
) -> None:
    outcome = here(tmp_path, *arguments, **environment)
    assert outcome.code == 2, outcome
    assert says in outcome.err
    assert "Traceback" not in outcome.err
