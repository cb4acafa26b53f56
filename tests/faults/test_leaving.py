"""L10: a visitor leaves, a person takes over or the conversation is closed while a model is still writing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from parley.testing.ledger import Ledger
from parley.testing.ledger_checks import is_answer
from parley.testing.model import ModelServer, Script, model_server
from parley.testing.servers import free_port
from parley.testing.supervisor import supervisor
from parley.testing.visitor import Visitor, read_history
from tests.faults import table
from tests.faults.desk import AWAKE, until
from tests.faults.people import call

pytestmark = [pytest.mark.faults, pytest.mark.slow]
HANDBOOK = Path(__file__).parents[2] / "examples" / "shop" / "handbook"
QUESTION = "多久可以退货？"
ANSWER = "七天内可以退货，请保留包装和发票。" * 12  # takes about 10 s to write
HUNG_UP_SECONDS = 2.0


@dataclass
class Room:
    """One process with everything in it, and a model that writes slowly."""

    model: ModelServer
    address: str
    key: str  # of an agent

    @asynccontextmanager
    async def reading(self, visitor: Visitor) -> AsyncIterator[Visitor]:
        """A visitor who has asked and sees the beginning of the answer."""
        living = asyncio.create_task(visitor.live())
        await until(lambda: visitor.connected, 20)
        await visitor.say(QUESTION)
        await until(lambda: visitor.drafts, 20)
        yield visitor
        await visitor.stop()
        await living

    async def act(self, visitor: Visitor, what: str) -> None:
        """What a person at the desk does."""
        path = f"/v1/sessions/{visitor.session}/{what}"
        status, body = await asyncio.to_thread(
            call, self.address, "POST", path, {"name": "李娜"}, headers={"authorization": f"Bearer {self.key}"}
        )
        assert status == 200, body

    async def hung_up(self) -> float:
        """Seconds until the engine has closed the model's last call."""
        began = AWAKE.now()
        await until(lambda: self.model.ledger.last.outcome == "closed", 10)
        return AWAKE.now() - began

    async def said(self, visitor: Visitor) -> list[str]:
        """How the store's answers ended, once the model would have been done by far."""
        history = await read_history(f"http://{self.address}", visitor)
        return [event.finish for event in history if is_answer(event)]


@asynccontextmanager
async def a_room(folder: Path) -> AsyncIterator[Room]:
    async with model_server() as model:
        model.script = Script(text=ANSWER, chunk_seconds=0.2)
        port = free_port()
        settings = {
            "PARLEY_HOME": str(folder),
            "PARLEY_GATEWAY_PORT": str(port),
            "PARLEY_GATEWAY_HOST": "127.0.0.1",
            "PARLEY_DEMO": "1",
            "PARLEY_DRAIN_SECONDS": "1",
            "PARLEY_KNOWLEDGE_FOLDERS": str(HANDBOOK),
            "PARLEY_LLM_URL": model.url,
            "PARLEY_LLM_MODEL": "slow",
        }
        async with supervisor(folder, settings) as processes, AWAKE.beating():
            await processes.start("all")
            key = (await processes.cli("keys", "create", "李娜", "--scope", "agent")).split()[-1]
            yield Room(model, f"127.0.0.1:{port}", key)


async def test_l10_who_leaves_in_mid_answer_finds_it_whole_and_once_and_a_person_or_a_close_ends_the_call(
    tmp_path: Path,
) -> None:
    async with a_room(tmp_path) as room:
        seconds = []
        for what in ("takeover", "close"):
            async with room.reading(Visitor(lambda: room.address, Ledger(AWAKE.now))) as visitor:
                await room.act(visitor, what)
                seconds.append(await room.hung_up())
                told = len(visitor.ledger.seen[visitor.session])
                assert not visitor.answers, f"the model spoke after a {what}"
        room.model.script = Script(text=ANSWER, chunk_seconds=0.05)
        async with room.reading(Visitor(lambda: room.address, Ledger(AWAKE.now))) as left:
            pass
        back = Visitor(lambda: room.address, left.ledger, left.token, left.session, left.epoch, left.seen)
        living = asyncio.create_task(back.live())
        await until(lambda: back.answers, 30)
        await back.stop()
        await living
        assert await room.said(back) == ["stop"]
        assert await room.said(visitor) == [], "a late message"
        assert len(visitor.ledger.seen[visitor.session]) == told
        assert [one.outcome for one in room.model.ledger] == ["closed", "closed", "complete"]
    assert max(seconds) <= HUNG_UP_SECONDS
    table.add_cases("L10", "visitor leaves, person takes over, conversation closed in mid-answer", 3,
                    f"model's call ended after {max(seconds):.2f} s", counted=True)  # fmt: skip
