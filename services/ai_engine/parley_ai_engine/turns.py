"""The turns that this replica works on: each ends in exactly one outcome, or is cancelled and ends in none."""

import asyncio
from collections import OrderedDict
from typing import Any

from parley.bus.routes import to_shard
from parley.contracts.v1 import EventMeta, TurnCompleted, TurnFailed, TurnRequested, TurnStarted
from parley.service import Context
from parley.telemetry import counter, current_trace_id, gauge, names, span
from parley_ai_engine.pipeline.answering import Answerer
from parley_ai_engine.pipeline.streaming import Audience, ChunkWriter
from parley_ai_engine.pipeline.turn import Reply, Turn

FINISHED_KEPT = 2000
CANCELLED_KEPT = 10_000
_running_gauge = gauge(names.TURNS_RUNNING)

# What a turn's explanation says, as its span says it: never a word of the conversation.
DECIDED = {
    names.ROUTE: "route",
    names.DEGRADED: "degraded",
    names.GUARD: "guard",
    names.PROMPT: "prompt",
    names.TOKENS: "tokens",
    names.COST: "cost",
}

Outcome = TurnCompleted | TurnFailed


class Turns:
    """Answers turns once each. A turn that is delivered again gets the outcome it had; a running one is left alone."""

    def __init__(self, ctx: Context[Any], answerer: Answerer) -> None:
        self._ctx = ctx
        self._answerer = answerer
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._audiences: dict[str, Audience] = {}
        self._finished: OrderedDict[str, Outcome] = OrderedDict()
        self._cancelled: OrderedDict[str, None] = OrderedDict()  # before they came here

    async def take(self, event: TurnRequested) -> None:
        """Work on one turn; it is settled once the bus has confirmed its outcome."""
        if event.turn_id in self._running or event.turn_id in self._cancelled:
            return
        outcome = self._finished.get(event.turn_id) or await self._work(event)
        if outcome is None:
            return
        self._finished[event.turn_id] = outcome
        while len(self._finished) > FINISHED_KEPT:
            self._finished.popitem(last=False)
        self._ctx.publish_nowait(outcome, to_shard(outcome, self._ctx.settings.shards))

    def cancel(self, turn_id: str) -> None:
        """Nobody waits for this turn any more, nor if it comes later."""
        if turn_id in self._cancelled:
            return
        if task := self._running.get(turn_id):
            task.cancel()
        self._cancelled[turn_id] = None
        if len(self._cancelled) > CANCELLED_KEPT:
            self._cancelled.popitem(last=False)

    def join(self, turn_id: str, gateway: str) -> None:
        """A gateway began to show the session in the middle of the turn."""
        if audience := self._audiences.get(turn_id):
            audience.join(gateway)

    async def _work(self, event: TurnRequested) -> Outcome | None:
        """The outcome, or None when the turn was cancelled."""
        turn, task = Turn.from_event(event), asyncio.current_task()
        assert task is not None
        self._running[turn.turn_id] = task
        _running_gauge.inc()
        try:
            return await self._outcome(event, turn)
        except asyncio.CancelledError:
            if turn.turn_id not in self._cancelled or task.uncancel():
                raise  # the handler itself was cancelled: the turn is delivered again to another replica
            return None
        finally:
            del self._running[turn.turn_id]
            self._audiences.pop(turn.turn_id, None)
            _running_gauge.dec()

    async def _outcome(self, event: TurnRequested, turn: Turn) -> Outcome:
        meta = EventMeta(tenant_id=turn.tenant, session_id=turn.session, causation_id=event.meta.event_id)
        left = turn.deadline - self._ctx.clock.now()
        with span(names.ANSWER_TURN) as recording:
            recording.set(names.SESSION, turn.session)
            recording.set(names.TURN, turn.turn_id)
            meta.traceparent = recording.context.traceparent
            try:
                async with asyncio.timeout(max(0.0, left)):
                    reply = await self._answerer.answer(turn, lambda origin: self._begin(turn, origin))
            except TimeoutError:
                recording.fail("deadline")
                return self._failed(turn, meta, "deadline")
            except Exception as error:  # noqa: BLE001 - a turn ends in an outcome, whatever went wrong in a stage
                recording.fail(type(error).__name__)
                self._ctx.log.error("turn.failed", exc=error, turn=turn.turn_id)
                return self._failed(turn, meta, type(error).__name__)
            recording.set(names.ORIGIN, reply.origin)
            recording.set(names.DEGRADE_LEVEL, reply.level)
            counter(names.REPLIES, reply.origin, reply.level).inc()
            recording.set(names.OUTCOME, "person" if reply.handoff else "answer")
            for attribute, stage in DECIDED.items():
                if decided := reply.why.get(stage):
                    recording.set(attribute, decided)
            return self._completed(turn, meta, reply, event)

    def _begin(self, turn: Turn, origin: str) -> ChunkWriter:
        """The reply begins to be written: say which engine writes it, so that latecomers can be sent here."""
        started = TurnStarted(turn_id=turn.turn_id, engine_id=self._ctx.replica)
        started.meta.tenant_id, started.meta.session_id = turn.tenant, turn.session
        announced = self._ctx.publish_nowait(started)
        announced.add_done_callback(lambda done: done.cancelled() or done.exception())
        audience = self._audiences[turn.turn_id] = Audience(self._ctx, turn, origin)
        return ChunkWriter(audience.emit, self._ctx.clock)

    def _completed(self, turn: Turn, meta: EventMeta, reply: Reply, event: TurnRequested) -> TurnCompleted:
        return TurnCompleted(
            meta=meta,
            turn_id=turn.turn_id,
            ownership=turn.ownership,
            reply=reply.message(turn, self._ctx.replica, current_trace_id()),
            handoff=reply.handoff,
            engine_id=self._ctx.replica,
            dialogue_state=event.dialogue_state,
            explanation={**reply.why, "level": reply.level},
        )

    def _failed(self, turn: Turn, meta: EventMeta, reason: str) -> TurnFailed:
        return TurnFailed(
            meta=meta, turn_id=turn.turn_id, ownership=turn.ownership, reason=reason, engine_id=self._ctx.replica
        )
