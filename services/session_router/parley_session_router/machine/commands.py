"""Commands of people: stop, take over, hand back, close. Each takes effect once and answers who asked."""

from collections.abc import Callable
from dataclasses import dataclass

from parley.contracts.v1 import (
    CloseRequested,
    CommandResult,
    HandbackRequested,
    Sender,
    SessionChanged,
    SessionClosed,
    SessionHandedBack,
    SessionTakenOver,
    StopRequested,
    TakeoverRequested,
)
from parley_session_router.machine import turning
from parley_session_router.machine.decision import Answered, Decision
from parley_session_router.machine.state import ASSIGNED, CLOSED, NEW, OPEN, Rules

Command = TakeoverRequested | HandbackRequested | CloseRequested
OK, NO_SESSION, CONFLICT = 200, 404, 409


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a command, as an HTTP status and a sentence."""

    code: int
    message: str
    changed: SessionChanged | None = None


def take_over(decision: Decision, event: TakeoverRequested, rules: Rules) -> None:
    """A person answers from now on."""
    _once(decision, event, lambda: _take_over(decision, event.agent))


def hand_back(decision: Decision, event: HandbackRequested, rules: Rules) -> None:
    """The engine answers again."""
    _once(decision, event, lambda: _hand_back(decision, event.agent))


def close(decision: Decision, event: CloseRequested, rules: Rules) -> None:
    """The conversation is over."""
    _once(decision, event, lambda: _close(decision, event.by))


def stop(decision: Decision, event: StopRequested, rules: Rules) -> None:
    """The visitor wants no more of the running answer."""
    request = event.meta.event_id
    if decision.command_result(request) is not None:
        decision.duplicates += 1
        return
    decision.keep_result(request, OK)
    turning.stopped(decision, event)
    turning.ask_if_needed(decision, rules)


def end(decision: Decision, reason: str) -> SessionChanged:
    """The conversation is over; a new message opens it again."""
    turning.cancel(decision, "closed")
    changed = _own(decision, CLOSED, None, reason, f"closed: {reason}")
    decision.fact(SessionClosed(meta=decision.meta(), session_id=decision.state.session, reason=reason))
    return changed


def _once(decision: Decision, event: Command, act: Callable[[], Result]) -> None:
    """Act, or answer a repeat as before. Without a request id the event's own tells repeats."""
    request = event.request_id or event.meta.event_id
    known = decision.command_result(request)
    if known is not None:
        decision.duplicates += 1
        result = Result(known, "this was asked before")
    else:
        unborn = decision.state.status == NEW
        result = Result(NO_SESSION, "there is no such session") if unborn else act()
        decision.keep_result(request, result.code)
    if event.gateway_id:
        told = CommandResult(
            request_id=event.request_id, code=result.code, message=result.message, session=result.changed
        )
        decision.answers.append(Answered(event.gateway_id, result=told))


def _take_over(decision: Decision, agent: Sender) -> Result:
    holder = decision.state.agent if decision.state.status == ASSIGNED else None
    if not agent.id:
        return Result(CONFLICT, "who takes over has no id")
    if holder is not None:
        mine = holder.id == agent.id
        return Result(OK, "it was yours already") if mine else Result(CONFLICT, f"{holder.name} has this session")
    turning.cancel(decision, "takeover")
    person = Sender()
    person.CopyFrom(agent)
    changed = _own(decision, ASSIGNED, person, "takeover", f"taken over by {person.name}")
    meta, state = decision.meta(), decision.state
    decision.fact(SessionTakenOver(meta=meta, session_id=state.session, agent=person, ownership=state.ownership))
    return Result(OK, "it is yours", changed)


def _hand_back(decision: Decision, agent: Sender) -> Result:
    holder = decision.state.agent if decision.state.status == ASSIGNED else None
    if holder is None or holder.id != agent.id:
        return Result(CONFLICT, "only who has the session can hand it back")
    changed = _own(decision, OPEN, None, "handback", f"handed back by {holder.name}")
    meta, state = decision.meta(), decision.state
    decision.fact(SessionHandedBack(meta=meta, session_id=state.session, agent=holder, ownership=state.ownership))
    return Result(OK, "the engine answers again", changed)


def _close(decision: Decision, by: Sender) -> Result:
    state = decision.state
    if state.status == CLOSED:
        return Result(OK, "it was closed already")
    if state.status == ASSIGNED and state.agent is not None and state.agent.id != by.id:
        return Result(CONFLICT, f"{state.agent.name} has this session")
    return Result(OK, "it is closed", end(decision, "closed"))


def _own(decision: Decision, status: str, agent: Sender | None, reason: str, why: str) -> SessionChanged:
    """Somebody else answers from now on: every result of before is refused by its lower ownership number."""
    decision.change(
        why,
        status=status,
        agent=agent,
        ownership=decision.state.ownership + 1,
        waiting_since=None,
        waiting_reason="",
        unanswered=(),
        starts_at=None,
    )
    return decision.store_change(reason)
