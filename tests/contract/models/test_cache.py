"""The same question is paid once: remembered for an hour, and shared while it is being answered."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from parley.contracts.v1 import Source
from parley.core import SystemClock
from parley.testing import VirtualClock
from parley.testing.builders import a_turn
from parley.testing.model import ModelServer, Script
from parley.testing.servers.redis import redis
from parley_ai_engine.cache.answers import Answer, Answers, MemoryAnswers, open_answers
from parley_ai_engine.cache.keys import key_of, normalised
from parley_ai_engine.cache.remembering import Remembering
from parley_ai_engine.costs.usage import Usage
from parley_ai_engine.pipeline.answering import Answerer
from parley_ai_engine.pipeline.evidence import Evidence
from parley_ai_engine.pipeline.streaming import ChunkWriter
from parley_ai_engine.pipeline.turn import Reply, Turn
from parley_ai_engine.providers.port import Ask, Said
from parley_ai_engine.routes import open_ladder
from parley_ai_engine.settings import EngineSettings, ModelSettings

RETURNS = Source(document_id="returns", title="退货", version=3, passage="七天内可以无理由退货。")


class Shelf:
    version = 1

    async def search(self, tenant: str, query: str, language: str, *, seconds: float) -> Evidence:
        return Evidence((RETURNS,), "七天内可以无理由退货。", 0.95, self.version)


class Desk:
    """An answerer over one real model, its books, and what each visitor saw."""

    def __init__(self, ladder: Remembering, settings: EngineSettings, booked: list[Usage]) -> None:
        self.shelf = Shelf()
        self.booked = booked
        self.shown: dict[str, list[str]] = {}
        self._answerer = Answerer(self.shelf, ladder, settings)

    async def ask(
        self, text: str = "多久可以退货？", *, who: str = "a", tenant: str = "demo", locale: str = "zh-CN"
    ) -> Reply:
        event = a_turn(text, session=who, locale=locale)
        event.meta.tenant_id = tenant
        turn = replace(Turn.from_event(event), deadline=time.time() + 20)
        shown = self.shown[who] = []
        return await self._answerer.answer(
            turn, lambda origin: ChunkWriter(lambda _, delta: shown.append(delta), SystemClock())
        )


@asynccontextmanager
async def a_desk(server: ModelServer, cache_url: str = "memory:", **settings: Any) -> AsyncIterator[Desk]:
    booked: list[Usage] = []
    model = ModelSettings(url=server.url, model="m", key="k", first_token_seconds=3, idle_seconds=3)
    wanted = EngineSettings(**settings)
    async with open_ladder(wanted, model, SystemClock(), cache_url, booked.append) as ladder:
        assert ladder is not None
        yield Desk(ladder, wanted, booked)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.connected)])
async def cache_url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        yield "memory:" if request.param == "memory" else (await stack.enter_async_context(redis())).url


async def test_the_second_identical_question_is_remembered_and_says_so(stand_in: ModelServer, cache_url: str) -> None:
    async with a_desk(stand_in, cache_url) as desk:
        first = await desk.ask("多久可以退货？", who="a")
        began = time.monotonic()
        again = await desk.ask(" 多久可以退货?", who="b")
        took = time.monotonic() - began
    assert (first.origin, again.origin, len(stand_in.ledger)) == ("llm", "cache", 1)
    assert again.text == first.text == "".join(desk.shown["b"])
    assert again.why["saved_by"] == "cache"
    assert "cost" not in again.why
    assert again.message(Turn.from_event(a_turn()), "e", "t").ai_generated
    assert took < 0.5, "the bar of 20 ms is held by the benchmark, where nothing else runs"
    made, spared = desk.booked
    assert (spared.saved_by, spared.input_tokens, spared.output_tokens) == (
        "cache",
        made.input_tokens,
        made.output_tokens,
    )


DIFFERENT: list[dict[str, str]] = [
    {"text": "多久可以换货？"},
    {"tenant": "别家"},
    {"text": "How long can I return it?", "locale": "en-US"},
]


@pytest.mark.parametrize("other", DIFFERENT)
async def test_another_question_tenant_or_language_is_asked_anew(stand_in: ModelServer, other: dict[str, str]) -> None:
    async with a_desk(stand_in) as desk:
        await desk.ask()
        assert (await desk.ask(**other)).origin == "llm"


async def test_a_new_state_of_the_knowledge_drops_what_was_said(stand_in: ModelServer) -> None:
    async with a_desk(stand_in) as desk:
        await desk.ask()
        desk.shelf.version += 1
        assert (await desk.ask()).origin == "llm"


async def test_what_a_guard_stopped_or_holds_personal_data_is_not_remembered(stand_in: ModelServer) -> None:
    stand_in.queue.append(Script("九十天内可以退货。"))  # stands in no passage
    async with a_desk(stand_in) as desk:
        assert (await desk.ask()).origin == "extractive"
        assert (await desk.ask()).origin == "llm"
        for _ in range(2):
            assert (await desk.ask("多久可以退货？我的手机是 13912345678")).origin == "llm"


async def test_an_answer_is_forgotten_after_its_hour() -> None:
    clock = VirtualClock()
    answers = MemoryAnswers(3600, clock)
    await answers.keep("k", Answer("七天", "m", "m-1", 1, 0, 1))
    await clock.advance(3599)
    assert await answers.find("k") is not None
    await clock.advance(2)
    assert await answers.find("k") is None


async def test_a_desk_that_wants_no_cache_asks_every_question(stand_in: ModelServer) -> None:
    async with a_desk(stand_in, cache_seconds=0) as desk:
        replies = [await desk.ask(), *(await asyncio.gather(*(desk.ask(who=who) for who in "ab")))]
    assert [reply.origin for reply in replies] == ["llm"] * 3
    assert len(stand_in.ledger) == 3


async def test_without_its_redis_nothing_is_remembered_and_nothing_fails(stand_in: ModelServer) -> None:
    async with a_desk(stand_in, "redis://127.0.0.1:1/0") as desk:
        assert [(await desk.ask()).origin for _ in range(2)] == ["llm", "llm"]


async def test_identical_questions_in_flight_share_one_call_from_its_first_piece(stand_in: ModelServer) -> None:
    stand_in.script = Script("七天内可以无理由退货。" * 3, chunk_seconds=0.03, chunk_chars=3)
    async with a_desk(stand_in) as desk:
        first = asyncio.create_task(desk.ask(who="0"))
        await stand_in.ledger.until(lambda: len(stand_in.ledger) == 1 and stand_in.ledger.last.chunks > 2)
        others = [asyncio.create_task(desk.ask(who=str(number))) for number in range(1, 9)]
        replies = [await first, *(await asyncio.gather(*others))]
    assert len(stand_in.ledger) == 1
    assert {(reply.origin, reply.text) for reply in replies} == {("llm", stand_in.script.text)}
    assert all("".join(desk.shown[str(number)]) == stand_in.script.text for number in range(9))
    assert [reply.why.get("saved_by", "") for reply in replies] == [""] + ["single_flight"] * 8
    assert [usage.saved_by for usage in desk.booked].count("single_flight") == 8


async def test_who_began_a_shared_call_may_leave_and_the_last_one_closes_it(stand_in: ModelServer) -> None:
    stand_in.script = Script("七天内可以无理由退货。" * 3, chunk_seconds=0.03, chunk_chars=3)
    async with a_desk(stand_in) as desk:
        first, second = (asyncio.create_task(desk.ask(who=who)) for who in "ab")
        await stand_in.ledger.until(lambda: len(stand_in.ledger) == 1 and stand_in.ledger.last.chunks > 2)
        first.cancel()
        assert (await second).text == stand_in.script.text
        stand_in.script = Script("七天内可以退货。" * 30, chunk_seconds=0.05)
        alone = asyncio.create_task(desk.ask("七天过了还能退货吗？"))
        await stand_in.ledger.until(lambda: len(stand_in.ledger) == 2 and stand_in.ledger.last.chunks > 1)
        alone.cancel()
        await stand_in.ledger.until(lambda: stand_in.ledger.last.outcome == "closed")
        assert desk.booked[-1].outcome == "cancelled"


async def test_a_shared_call_that_fails_is_a_quote_for_everybody(stand_in: ModelServer) -> None:
    stand_in.script = Script("七天内可以", fault="broken", chunk_seconds=0.1, chunk_chars=2, after=2)
    async with a_desk(stand_in) as desk:
        replies = await asyncio.gather(*(desk.ask(who=who) for who in "abc"))
    assert [reply.origin for reply in replies] == ["extractive"] * 3
    assert all(reply.why["degraded"] for reply in replies)
    assert len(stand_in.ledger) == 1


def test_width_case_spaces_and_the_last_mark_make_no_difference() -> None:
    assert normalised("  Ｈｏｗ long  can I\nreturn it？？ ") == normalised("how long can i return it")
    assert normalised("可以退货吗") != normalised("可以换货吗")


def test_what_is_told_besides_the_question_makes_another_key() -> None:
    plain = (Said("system", "Answer."), Said("user", "退货？"))
    asks = [
        Ask(plain),
        Ask((Said("system", "Answer!"), plain[1])),
        Ask((plain[0], Said("user", "我在德国"), plain[1])),
        Ask((plain[0], Said("assistant", "我在德国"), plain[1])),
    ]
    keys = {key_of("demo", "m", 1, ask) for ask in asks} | {
        key_of("demo", "m", 2, asks[0]),
        key_of("demo", "n", 1, asks[0]),
    }
    assert len(keys) == 6
    assert key_of("demo", "m", 1, Ask((plain[0], Said("user", " ？")))) is None


async def test_the_port_keeps_what_it_was_given(cache_url: str) -> None:
    async with open_answers(cache_url, 60, SystemClock()) as answers:
        kept: Answers = answers
        answer = Answer("七天内可以退货。🙂", "m", "m-2026", 100, 5, 9)
        await kept.keep("k", answer)
        assert await kept.find("k") == answer
        assert await kept.find("other") is None
