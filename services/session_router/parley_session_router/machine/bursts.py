"""Bursts: short messages become one turn, and who types on is waited for, up to a limit."""

from parley_session_router.machine import turning
from parley_session_router.machine.decision import Decision
from parley_session_router.machine.state import OPEN, Rules


def supersede_or_wait(decision: Decision) -> None:
    """A newer message: a turn of which nothing was shown is cancelled, so that one answer covers both.

    Who sends has typed: what was waited for has come.
    """
    state = decision.state
    if state.turn is not None and not state.turn.begun:
        turning.cancel(decision, "superseded")
    if state.starts_at is not None:
        decision.change(starts_at=None)


def hold(decision: Decision, rules: Rules) -> None:
    """The visitor types on: a turn of which nothing was shown is put off until they are done, up to a limit.

    The limit counts from the oldest message that waits for an answer, so that typing alone puts nothing off for ever.
    """
    state = decision.state
    if state.status != OPEN or not state.unanswered or (state.turn is not None and state.turn.begun):
        return
    waits_since = state.unanswered[0].created_at
    until = min(decision.now + rules.typing_seconds, waits_since.seconds + waits_since.nanos / 1e9 + rules.hold_seconds)
    if until <= decision.now or until == state.starts_at:
        return
    turning.cancel(decision, "typing")
    decision.change("" if state.starts_at else "the visitor types: the turn waits", starts_at=until)


def start_held(decision: Decision, rules: Rules) -> None:
    """The visitor typed for long enough, or has stopped."""
    starts_at = decision.state.starts_at
    if starts_at is not None and decision.now >= starts_at:
        decision.change(starts_at=None)
        turning.ask_if_needed(decision, rules)
