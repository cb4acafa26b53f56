"""R23: Hypothesis breaks bus, store and router in any order and compares with a model of three sets.

What was acknowledged must be there, what was published may be, what nobody sent must not; and each once, in order.
The bus in memory and SQLite are real adapters, so hundreds of histories take seconds.
"""

import asyncio
import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.contracts.v1 import StreamEvent
from parley.testing.builders import SESSION, a_message_received
from parley_session_router.store import SessionKey
from tests.faults import table
from tests.faults.desk import LONG
from tests.flow.router_house import Faulty, House, Router, a_house

pytestmark = [pytest.mark.slow, pytest.mark.faults]
KEY = SessionKey("demo", SESSION)
EXAMPLES = 300 if LONG else 40
STEPS = (
    "say", "say", "say", "say the first again", "say the last again", "answer", "answer everything twice",
    "the store is away", "the store forgets to answer", "the bus is full", "nothing is confirmed any more",
    "the router is killed", "the router leaves", "a newer owner writes", "wait",
)  # fmt: skip
RAN: list[int] = []


class Story:
    """One history of faults: a router that can die at any step, and what the sender knows."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.sent: list[str] = []
        self.answered = 0
        self.bus, self.store = Faulty(None), Faulty(house.store)
        self._stack = contextlib.AsyncExitStack()
        self._router: Router | None = None
        self._routers = 0

    async def begin(self) -> None:
        self._routers += 1
        self.bus = Faulty(None)
        opening = self.house.router(f"r{self._routers}", bus=self.bus, store=self.store)
        self._router = await self._stack.enter_async_context(opening)

    async def end(self, *, kill: bool) -> None:
        assert self._router is not None
        if kill:
            await self._router.kill()
        self.bus.silent, self.bus.refusals = False, 0
        await self._stack.aclose()

    async def say(self, number: int) -> None:
        name = f"c{number}"
        if name not in self.sent:
            self.sent.append(name)
        await self.house.publish(a_message_received(f"第 {number} 句", external_id=name))

    async def answer(self, times: int) -> None:
        for question in self.house.asked[0 if times > 1 else self.answered :]:
            for _ in range(times):
                await self.house.answer(question)
        self.answered = len(self.house.asked)

    async def step(self, what: str) -> None:
        """One thing happens; nobody waits for what comes of it."""
        if what == "say":
            await self.say(len(self.sent))
        elif what.startswith("say") and self.sent:
            await self.say(0 if "first" in what else len(self.sent) - 1)
        elif what.startswith("answer"):
            await self.answer(2 if "twice" in what else 1)
        elif what == "a newer owner writes":
            await self.house.store.claim_shard(0)
        elif what in ("the router is killed", "the router leaves"):
            kill = what == "the router is killed" or self.bus.silent
            await self.end(kill=kill)
            await self.begin()
        elif what == "wait":
            await asyncio.sleep(0.01)
        else:
            self._break(what)

    def _break(self, what: str) -> None:
        if what == "the store is away":
            self.store.away = 1
        elif what == "the store forgets to answer":
            self.store.forgotten = 1
        elif what == "the bus is full":
            self.bus.refusals = 3
        elif what == "nothing is confirmed any more":
            self.bus.silent = True

    async def heal(self) -> None:
        """A healthy router drains what is left; the sender sends again whatever nobody has acknowledged."""
        self.store.away = self.store.forgotten = 0
        await self.end(kill=True)
        await self.begin()
        for number in range(len(self.sent)):
            if f"c{number}" not in self.acknowledged():
                await self.say(number)
        await self.house.until_in_time(lambda: self.acknowledged() >= set(self.sent))

    def acknowledged(self) -> set[str]:
        return {accepted.external_message_id for accepted in self.house.accepted}


async def lived(steps: list[str]) -> None:
    """Live through it, then compare with the model."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with a_house(Path(folder)) as house:
            story = Story(house)
            await story.begin()
            for what in ["say", *steps]:
                await story.step(what)
            acknowledged_before = story.acknowledged()
            await story.heal()
            stored = await history(house)
            await story.end(kill=False)
    own = [event.message.client_msg_id for event in stored if event.message.client_msg_id]
    assert acknowledged_before <= set(own), "acknowledged and lost"
    assert set(own) == set(story.sent), "sent by nobody, or not stored at last"
    assert own == sorted(set(own), key=story.sent.index), "stored twice, or out of order"
    assert [event.seq for event in stored] == list(range(1, len(stored) + 1)), "a gap"
    turns = [event.message_end.turn_id for event in stored if event.message_end.turn_id]
    assert len(turns) == len(set(turns)), "a turn with two outcomes"
    places = {(a.external_message_id, a.seq) for a in house.accepted}
    assert len(places) == len({name for name, _ in places}), "one message was told two places"


async def history(house: House) -> list[StreamEvent]:
    found = await house.store.history(KEY, limit=1000)
    assert found is not None
    return [StreamEvent.FromString(entry.payload) for entry in found.entries]


@settings(max_examples=EXAMPLES)
@given(st.lists(st.sampled_from(STEPS), min_size=3, max_size=14))
def test_r23_in_any_order_of_faults_the_store_agrees_with_what_was_sent_and_acknowledged(steps: list[str]) -> None:
    asyncio.run(lived(steps))
    RAN.append(len(steps))
    if len(RAN) == EXAMPLES:
        table.add_cases("R23", "bus, store and router broken in any order", EXAMPLES, f"{sum(RAN)} steps", counted=True)
