"""A turn ends in exactly one outcome: answered, failed in time, or cancelled without a word."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from parley.bus.queues import engine_replica, gateway_replica
from parley.bus.routes import to_engine_replica
from parley.contracts.v1 import ReplyChunk, TurnCancelled, TurnCompleted, TurnFailed, TurnJoined, TurnStarted
from parley.service import Context, Service
from parley.testing import TestBench
from parley.testing.builders import a_meta, a_turn
from parley_ai_engine import service as engine
from parley_ai_engine.costs.store import CostQuery, CostSum
from parley_ai_engine.costs.usage import Usage
from parley_ai_engine.pipeline.answering import Answerer, Begin
from parley_ai_engine.pipeline.evidence import Evidence
from parley_ai_engine.pipeline.turn import Reply, Turn
from parley_ai_engine.service import Deps
from parley_ai_engine.settings import EngineSettings
from parley_ai_engine.turns import Turns


class Scripted(Answerer):
    """Writes "七天" at once and the rest when it is let go."""

    def __init__(self) -> None:
        super().__init__(NoKnowledge(), None, EngineSettings())
        object.__setattr__(self, "go_on", asyncio.Event())
        object.__setattr__(self, "asked", [])

    async def answer(self, turn: Turn, begin: Begin) -> Reply:
        self.asked.append(turn.question)  # type: ignore[attr-defined]  # set above
        if turn.question == "boom":
            raise ValueError("scripted")
        writer = begin("extractive")
        writer.write("七天")
        await self.go_on.wait()  # type: ignore[attr-defined]  # set above
        writer.write("内可以退。")
        writer.finish()
        return Reply(writer.text, "extractive")


class NoKnowledge:
    async def search(self, tenant: str, query: str, language: str, *, seconds: float) -> Evidence:
        raise AssertionError("not asked here")


class NoBooks:
    async def add(self, usage: Usage) -> None:
        raise AssertionError("no model is asked here")

    async def sums(self, query: CostQuery) -> list[CostSum]:
        return []


@asynccontextmanager
async def a_bench() -> AsyncIterator[tuple[TestBench[Deps], Scripted]]:
    answerer = Scripted()

    @asynccontextmanager
    async def opens(ctx: Context[Deps]) -> AsyncIterator[Deps]:
        yield Deps(answerer, Turns(ctx, answerer), NoBooks())

    service: Service[Deps] = Service("ai-engine", Deps, opens=opens)
    service.consumptions = engine.service.consumptions
    async with TestBench(service) as bench:
        yield bench, answerer


async def test_an_answer_that_takes_a_while_is_announced_previewed_and_completed_once() -> None:
    async with a_bench() as (bench, scripted):
        turn = a_turn("多久可以退货？")
        await bench.publish(turn)
        await bench.until(lambda: bench.sent(TurnStarted))
        scripted.go_on.set()  # type: ignore[attr-defined]  # scripted
        await bench.settled()
        completed = bench.sent(TurnCompleted)
        assert [c.reply.text for c in completed] == ["七天内可以退。"]
        assert completed[0].reply.message_id == turn.message_id
        assert [s.turn_id for s in bench.sent(TurnStarted)] == [turn.turn_id]
        assert "".join(chunk.delta for chunk in bench.sent(ReplyChunk)) == "七天内可以退。"


async def test_a_turn_that_is_cancelled_twice_ends_once_and_quietly() -> None:
    async with a_bench() as (bench, _):
        turn = a_turn("多久可以退货？")
        await bench.publish(turn)
        await bench.until(lambda: bench.sent(ReplyChunk))
        for _ in range(2):
            await bench.publish(TurnCancelled(meta=a_meta(), turn_id=turn.turn_id, reason="superseded"))
        await bench.settled()
        assert bench.sent(TurnCompleted) == []
        assert bench.sent(TurnFailed) == []


async def test_a_turn_delivered_twice_is_worked_on_once_and_told_twice_alike() -> None:
    async with a_bench() as (bench, scripted):
        scripted.go_on.set()  # type: ignore[attr-defined]  # scripted
        await bench.publish(a_turn("多久可以退货？"))
        await bench.settled()
        await bench.redeliver_last()
        await bench.settled()
        assert len(scripted.asked) == 1  # type: ignore[attr-defined]  # scripted
        assert len({c.reply.text for c in bench.sent(TurnCompleted)}) == 1


async def test_a_cancelled_turn_ends_without_an_outcome() -> None:
    async with a_bench() as (bench, _):
        turn = a_turn("多久可以退货？")
        await bench.publish(turn)
        await bench.until(lambda: bench.sent(ReplyChunk))
        route = to_engine_replica(bench.ctx.replica)
        await bench.publish(TurnCancelled(meta=a_meta(), turn_id=turn.turn_id, reason="takeover"), route)
        await bench.settled()
        assert bench.sent(TurnCompleted) == []
        assert bench.sent(TurnFailed) == []


async def test_a_cancelled_turn_that_still_waits_in_the_queue_is_never_worked_on() -> None:
    async with a_bench() as (bench, scripted):
        superseded, whole = a_turn("你好"), a_turn("你好，我的订单什么时候到？")
        await bench.publish(TurnCancelled(meta=a_meta(), turn_id=superseded.turn_id, reason="superseded"))
        await bench.settled()
        scripted.go_on.set()  # type: ignore[attr-defined]  # scripted
        await bench.publish(superseded)
        await bench.publish(whole)
        await bench.settled()
        assert scripted.asked == ["你好，我的订单什么时候到？"]  # type: ignore[attr-defined]  # scripted
        assert [c.turn_id for c in bench.sent(TurnCompleted)] == [whole.turn_id]


async def test_a_turn_is_cancelled_by_the_fact_before_anybody_knows_who_works_on_it() -> None:
    async with a_bench() as (bench, scripted):
        turn = a_turn("多久可以退货？")
        await bench.publish(turn)
        await bench.until(lambda: scripted.asked)  # type: ignore[attr-defined]  # scripted
        await bench.publish(TurnCancelled(meta=a_meta(), turn_id=turn.turn_id, reason="superseded"))
        await bench.settled()
        assert bench.sent(TurnCompleted) == []
        assert bench.sent(TurnFailed) == []


async def test_a_gateway_that_joins_in_the_middle_gets_one_snapshot_and_then_the_rest() -> None:
    async with a_bench() as (bench, scripted):
        turn = a_turn("多久可以退货？")
        await bench.publish(turn)
        await bench.until(lambda: bench.sent(ReplyChunk))
        joined = TurnJoined(meta=a_meta(), turn_id=turn.turn_id, gateway_id="g2")
        await bench.publish(joined, to_engine_replica(bench.ctx.replica))
        await bench.until(lambda: len(bench.sent(ReplyChunk)) == 2)
        scripted.go_on.set()  # type: ignore[attr-defined]  # scripted
        await bench.settled()
        keys = bench.routes(ReplyChunk)
        to_second = [c for c, r in zip(bench.sent(ReplyChunk), keys, strict=True) if r.key == "gateway.g2"]
        assert [(c.snapshot, c.delta) for c in to_second] == [(True, "七天"), (False, "内可以退。")]


async def test_a_turn_that_is_past_its_deadline_fails_in_time() -> None:
    async with a_bench() as (bench, _):
        await bench.publish(a_turn("多久可以退货？", seconds=-1))
        await bench.settled()
        assert [f.reason for f in bench.sent(TurnFailed)] == ["deadline"]


async def test_an_error_in_a_stage_is_an_outcome_and_parks_nothing() -> None:
    async with a_bench() as (bench, _):
        await bench.publish(a_turn("boom"))
        await bench.settled()
        assert [f.reason for f in bench.sent(TurnFailed)] == ["ValueError"]
        assert await bench.dead() == []


@pytest.mark.parametrize("name", ["engine_replica", "gateway_replica"])
def test_private_queues_are_named_after_their_replica(name: str) -> None:
    queue = {"engine_replica": engine_replica, "gateway_replica": gateway_replica}[name]("r1")
    assert queue.name.endswith("r1")
