"""The guide to teaching does what it says: its commands are run one after the other against a running service."""

import asyncio
import os
import re
import shlex
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from evaluation.documents import PLANS
from tests.flow.knowledge_service import a_knowledge_service
from tests.unit.knowledge.paper import Page, a_pdf, written

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "teach-parley-your-handbook.md"
START, *COMMANDS = re.findall(r"```sh\n(.*?)\n```", GUIDE.read_text("utf-8"), re.DOTALL)
PARLEY = str(Path(sys.executable).with_name("parley"))


async def said(command: str, folder: Path, home: Path) -> str:
    """What a command of the guide prints."""
    words = shlex.split(command)
    assert words[0] == "parley"
    env = {**os.environ, "PARLEY_HOME": str(home), "COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(PARLEY, *words[1:], cwd=folder, env=env, stdout=PIPE, stderr=STDOUT)
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


@pytest.mark.slow
async def test_a_pdf_becomes_a_cited_answer_in_five_commands(tmp_path: Path) -> None:
    pages = Page(["Welcome to our plans."]), Page(["Plans and prices"], PLANS)
    written(tmp_path, "prices.pdf", a_pdf(*pages))
    assert START == "make run"
    ingest, diff, publish, ask = COMMANDS
    async with a_knowledge_service() as running:
        handed_in = await said(ingest, tmp_path, running.home)
        draft = re.search(r"waits as review (prop_\w+)", handed_in)
        assert draft, handed_in
        assert not (await running.search("How much is the Family plan a month?")).passages
        assert "+ Plan: Family; Monthly price: 29 EUR" in await said(
            diff.replace("DRAFT", draft[1]), tmp_path, running.home
        )
        assert "live as version 1" in await said(publish.replace("DRAFT", draft[1]), tmp_path, running.home)
        answer = await said(ask, tmp_path, running.home)
        assert "price  Family, Monthly price: 29 EUR" in answer
        assert "prices.pdf" in answer
