"""The same pure step right after the last one, and after a pause: why a message costs more where there are few."""

import statistics
import time
from collections.abc import Iterator

from benchmarks.results import Finding, Goal, Run, prose, table
from parley.contracts.v1 import EventMeta, Message, MessageReceived, Sender, SenderKind, TurnCompleted
from parley.core import new_id
from parley_session_router.machine import Rules, SessionState, step

PAUSES = (0.0, 0.0005, 0.003, 0.01, 0.03)  # seconds before a step
STEPS = 200
RULES = Rules()


def measure(run: Run) -> Finding:
    """The machine of the session-router, by itself: no bus, no store, one session, nothing else to do."""
    for _ in _steps(0.0, STEPS * 5):
        pass  # until it is as fast as it gets
    found = {pause: statistics.median(_steps(pause, STEPS)) for pause in PAUSES}
    times = found[0.01] / found[0.0]
    text = prose(f"""Median of {STEPS} steps of one session each; a step is the same few hundred lines of Python on
        the same data. What is slower after a pause is the memory: by then others have had the caches. At 300 messages
        a second every service wakes for nearly every message, in a closed loop for dozens at once, so that the same
        code costs a multiple; this, not a queue, is where most of the time at a low rate goes. Gathering events for
        20 ms while a process is busy was tried: at 300/s it halves p50 and p99, at 100/s it triples p50, and a closed
        loop loses a fifth, so it was left out.""")
    rows = [(f"{pause * 1000:g} ms", f"{micros:.0f}", f"{micros / found[0.0]:.1f}") for pause, micros in found.items()]
    shown = table(("pause before the step", "µs", "times without"), rows)
    goals = [Goal("a step after 10 ms of rest, times one right after another", "shown", f"{times:.1f}")]
    return Finding("What a pause costs", goals, f"{text}\n\n{shown}", {str(pause): us for pause, us in found.items()})


def _steps(pause: float, count: int) -> Iterator[float]:
    """Microseconds of each step that takes a visitor's message."""
    state, now = SessionState("bench", "ses_王小明"), time.time()
    for number in range(count):
        meta = EventMeta(tenant_id="bench", session_id="ses_王小明", event_id=new_id("evt"))
        said = MessageReceived(meta=meta, channel="web", external_message_id=f"c{number}", text="多久可以退货？")
        said.sender.kind, said.gateway_id = SenderKind.SENDER_KIND_VISITOR, "g1"
        time.sleep(pause)
        began = time.perf_counter()
        state = step(state, said, now, RULES).state
        yield (time.perf_counter() - began) * 1e6
        state = _answered(state, now)


def _answered(state: SessionState, now: float) -> SessionState:
    assert state.turn is not None
    reply = Message(text="七天内可以退货。", origin="rule", sender=Sender(kind=SenderKind.SENDER_KIND_ENGINE))
    done = TurnCompleted(turn_id=state.turn.turn_id, ownership=state.turn.ownership, reply=reply)
    done.meta.tenant_id, done.meta.session_id = state.tenant, state.session
    return step(state, done, now, RULES).state
