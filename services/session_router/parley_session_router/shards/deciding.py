"""One input through the machine, with its span and its numbers. No span is made where the trace is not sampled."""

from typing import Any

from parley.bus import Event
from parley.bus.routes import fact_route
from parley.contracts.v1 import MessageReceived, SendMessage
from parley.core import Reject
from parley.service import Context
from parley.telemetry import TraceContext, counter, histogram, names, record, span
from parley_session_router.machine import Decision, Rules, input_key, step
from parley_session_router.machine.messages import message_id_of
from parley_session_router.shards.inputs import Work
from parley_session_router.shards.sessions import Known

_duplicates = counter(names.DUPLICATES, "input")


class Decider:
    """Applies the machine to sessions of one shard."""

    def __init__(self, ctx: Context[Any], shard: int, rules: Rules) -> None:
        self._ctx = ctx
        self._shard = shard
        self._rules = rules
        self._waits = histogram(names.QUEUE_WAIT_SECONDS, ctx.service, f"sessions.{shard:02d}")

    def decide(self, work: Work, known: Known) -> str:
        """Decide one input. Returns why it can never be decided, the empty string when it was.

        The machine is pure: what it fails on once it fails on always, so nothing is tried twice.
        """
        turn = known.state.turn
        traceparent = work.traceparent or (turn.traceparent if turn is not None and work.delivery is None else "")
        context = self._ctx.tracing.follow(traceparent)
        self._note_wait(work, context)
        try:
            _recall(work, known)
            decision = self._step(work, known, context)
            known.apply(decision, work.cause)
        except Reject as error:
            return f"Reject: {error}"
        except Exception as error:  # noqa: BLE001 - one broken input must not stop a shard
            self._ctx.log.error("step.failed", exc=error, session=work.key.session, input=type(work.event).__name__)
            return f"{type(error).__name__}: {error}"
        if decision.duplicates:
            _duplicates.inc(decision.duplicates)
        if decision.outcome is not None:
            outcome, origin, seconds = decision.outcome
            counter(names.TURNS, outcome, origin).inc()
            histogram(names.TURN_SECONDS, outcome).observe(seconds)
            if outcome == "cancelled":
                counter(names.TURNS_CANCELLED_SECONDS, decision.outcome_reason).inc(seconds)
        return ""

    def _step(self, work: Work, known: Known, context: TraceContext) -> Decision:
        now = self._ctx.clock.now()
        if context.tracer is None:
            return step(known.state, work.event, now, self._rules, traceparent=context.traceparent, hears=self._hears)
        with span(names.DECIDE, context=context) as recording:
            recording.set(names.SHARD, self._shard)
            recording.set(names.SESSION, work.key.session)
            recording.set(names.TENANT, work.key.tenant)
            decision = step(
                known.state, work.event, now, self._rules, traceparent=recording.context.traceparent, hears=self._hears
            )
            recording.set(names.DECISION, decision.why)
            return decision

    def _hears(self, kind: type[Event]) -> bool:
        return self._ctx.bus.heard(fact_route(kind))

    def _note_wait(self, work: Work, context: TraceContext) -> None:
        if work.delivery is None:
            return
        stamp = work.event.meta.occurred_at  # type: ignore[union-attr]  # deliveries are events of the contract
        published = stamp.seconds + stamp.nanos / 1e9
        self._waits.observe(max(0.0, work.delivery.received_at - published))
        record(names.WAIT_IN_QUEUE, published, work.delivery.received_at, context=context, kind="consumer")


def _recall(work: Work, known: Known) -> None:
    if known.stored_as and isinstance(work.event, MessageReceived | SendMessage):
        known.recall(message_id_of(work.key.tenant, input_key(work.event)))
