"""Drafts, versions and the way back by `knowledge-cli`; what a kill in the middle of an ingest leaves."""

import asyncio
import json
import os
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path

import pytest

from tests.flow.test_knowledge_cli import cli, here

PARLEY = str(Path(sys.executable).with_name("parley"))
MANY = 400


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    handbook = tmp_path / "handbook"
    handbook.mkdir()
    (handbook / "退货.md").write_text("# 退货\n签收后七天内可以退货。", "utf-8")
    (handbook / "hours.md").write_text("# Hours\nWe open at nine.", "utf-8")
    return handbook


def test_a_draft_is_reviewed_published_compared_and_taken_back(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "home"
    assert "live as version 1" in here(home, "ingest", folder, "--offline").out
    (folder / "退货.md").write_text("# 退货\n签收后三十天内可以退货。", "utf-8")
    drafted = here(home, "ingest", folder, "--review", "--author", "小王", "--offline", "--json").json
    assert (drafted["state"], drafted["changed"], drafted["knowledge_version"]) == ("review", 1, 0)
    draft = drafted["draft_id"]
    assert "七天" in here(home, "search", "几天内可以退货", "--offline").out
    shown = here(home, "diff", draft, "--offline").out
    assert "- 签收后七天内可以退货。" in shown
    assert "+ 签收后三十天内可以退货。" in shown
    assert "1 documents differ" in shown
    assert here(home, "publish", draft, "--offline").out == "live as version 2\n"
    assert "三十天" in here(home, "search", "几天内可以退货", "--offline").out
    assert "七天" in here(home, "search", "几天内可以退货", "--version", "1", "--offline").out
    assert "v1 → v2" in here(home, "diff", "1", "2", "--offline").out
    assert here(home, "rollback", "1", "--offline").out == "version 3 is live: 1 documents changed\n"
    assert "七天" in here(home, "search", "几天内可以退货", "--offline").out
    numbers = [one["number"] for one in here(home, "versions", "--offline", "--json").json]
    assert numbers == ["3", "2", "1"]
    states = [one["state"] for one in here(home, "drafts", "--offline", "--json").json]
    assert states == ["live", "live"]


def test_sync_removes_what_the_folder_holds_no_more(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "home"
    here(home, "sync", folder, "--offline")
    here(home, "ingest", folder / "hours.md", "--offline")
    (folder / "hours.md").unlink()
    again = here(home, "sync", folder, "--offline")
    assert again.code == 0, again
    assert "0 new, 0 changed, 1 unchanged, 1 removed" in again.out
    assert [d["uri"] for d in here(home, "list", "--offline", "--json").json] == ["handbook/退货.md", "hours.md"]
    assert here(home, "sync", folder / "退货.md", "--offline").code == 1


def test_documents_for_some_are_found_by_them_alone(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "home"
    here(home, "ingest", folder, "--audience", "agents", "--channel", "wechat", "--offline")
    assert here(home, "search", "退货", "--offline").code == 1
    assert here(home, "search", "退货", "--audience", "agents", "--offline").code == 1
    asked = ("--audience", "agents", "--channel", "wechat", "--offline")
    assert "七天" in here(home, "search", "退货", *asked).out
    explained = here(home, "explain", "退货", *asked)
    assert "found by" in explained.out
    assert "退货" in explained.out
    assert "hidden from here: 1 passages" in here(home, "explain", "退货", "--offline").out


def test_a_base_is_shown_exported_taught_again_and_evaluated(tmp_path: Path, folder: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    here(home, "ingest", folder, "--offline")
    assert "We open at nine." in here(home, "show", "handbook/hours.md", "--offline").out
    assert here(home, "show", "doc_unknown", "--offline").code == 1
    here(home, "export", tmp_path / "all.jsonl", "--offline")
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text("utf-8").splitlines()]
    assert [(line["title"], line["text"]) for line in lines] == [
        ("Hours", "We open at nine."), ("退货", "签收后七天内可以退货。"),
    ]  # fmt: skip
    assert here(other, "ingest", tmp_path / "all.jsonl", "--offline").code == 0
    questions = tmp_path / "questions.csv"
    questions.write_text("question,expects\n几天内可以退货,七天\nWhen do you open?,at ten\n", "utf-8")
    judged = here(other, "evaluate", questions, "--bar", "0.9", "--offline", "--json")
    assert judged.code == 1
    assert judged.json == {"questions": 2, "first": 0.5, "among_5": 0.5, "missed": ["When do you open?"]}


@pytest.mark.slow
async def test_paths_come_from_standard_input_and_parley_knows_the_same_commands(tmp_path: Path, folder: Path) -> None:
    env = {**os.environ, "PARLEY_HOME": str(tmp_path / "home")}
    process = await asyncio.create_subprocess_exec(
        PARLEY, "knowledge", "ingest", "-", "--offline", stdin=PIPE, stdout=PIPE, env=env
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate(f"{folder}\n\n".encode())
    assert process.returncode == 0
    assert b"2 new" in out


@pytest.mark.slow
async def test_two_ingests_at_once_of_the_same_folder_make_one_version(tmp_path: Path, folder: Path) -> None:
    for n in range(30):
        (folder / f"{n}.md").write_text(f"第{n}条：运费{n}元。", "utf-8")
    home = tmp_path / "home"
    outcomes = await asyncio.gather(*(cli(home, "ingest", folder, "--offline") for _ in range(2)))
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes
    assert len((await cli(home, "list", "--offline", "--json")).json) == 32
    (version,) = (await cli(home, "versions", "--offline", "--json")).json
    assert version["changes"] == 32


def proposed(home: Path) -> int:
    """Documents that wait in drafts."""
    try:
        with sqlite3.connect(f"file:{home / 'parley.db'}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT COUNT(*) FROM knowledge_proposed").fetchone()[0])
    except sqlite3.Error:  # not made yet
        return 0


async def a_service(home: Path) -> Process:
    env = {**os.environ, "PARLEY_HOME": str(home), "PARLEY_BUS_URL": "memory:"}
    service = await asyncio.create_subprocess_exec(PARLEY, "run", "knowledge", env=env, stdout=DEVNULL, stderr=DEVNULL)
    async with asyncio.timeout(60):
        while (await cli(home, "list")).code == 3:
            assert service.returncode is None
    return service


@pytest.mark.slow
async def test_a_service_killed_in_the_middle_of_an_ingest_leaves_the_old_version_live(
    tmp_path: Path, folder: Path
) -> None:
    home = tmp_path / "h"
    service = await a_service(home)
    try:
        assert (await cli(home, "ingest", folder)).code == 0
        (folder / "退货.md").write_text("签收后三十天内可以退货。", "utf-8")
        for n in range(MANY):
            (folder / f"{n:03}.md").write_text(f"第{n}条：运费{n}元。", "utf-8")
        ingest = asyncio.create_task(cli(home, "ingest", folder))
        async with asyncio.timeout(60):
            while proposed(home) < 20:  # noqa: ASYNC110 - another process's file has no event
                await asyncio.sleep(0.005)
        service.kill()
        await service.wait()
        assert (await ingest).code == 3
        assert 0 < proposed(home) < MANY + 3
        service = await a_service(home)
        assert len((await cli(home, "list", "--json")).json) == 2
        assert "七天" in (await cli(home, "search", "几天内可以退货")).out
        done = await cli(home, "ingest", folder, "--json")
        assert (done.json["added"], done.json["changed"]) == (MANY, 1)
        assert "三十天" in (await cli(home, "search", "几天内可以退货")).out
    finally:
        if service.returncode is None:
            service.kill()
            await service.wait()
