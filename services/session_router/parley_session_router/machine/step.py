"""One step: what an input means for a session. The table at the end is the whole list of inputs."""

import hashlib
from collections.abc import Callable
from typing import Any

from parley.contracts.v1 import (
    Accepted,
    CloseRequested,
    CommandResult,
    HandbackRequested,
    Message,
    MessageReceived,
    MessagesRead,
    Sender,
    SenderKind,
    SendMessage,
    SessionClosed,
    SessionHandedBack,
    SessionOpened,
    SessionTakenOver,
    ShardProbed,
    StopRequested,
    StreamAttached,
    StreamDetached,
    TakeoverRequested,
    TurnCompleted,
    TurnFailed,
    TurnStarted,
    VisitorTyping,
)
from parley_session_router.machine import turning
from parley_session_router.machine.decision import Answered, Decision
from parley_session_router.machine.state import (
    ASSIGNED,
    CLOSED,
    GATEWAYS_KEPT,
    NEW,
    OPEN,
    UNANSWERED_KEPT,
    GatewayGone,
    Resumed,
    Rules,
    SessionState,
    TimeCame,
)
from parley_session_router.store import dedup_key

Input = (
    MessageReceived
    | SendMessage
    | StreamAttached
    | StreamDetached
    | VisitorTyping
    | MessagesRead
    | StopRequested
    | TakeoverRequested
    | HandbackRequested
    | CloseRequested
    | ShardProbed
    | TurnStarted
    | TurnCompleted
    | TurnFailed
    | TimeCame
    | GatewayGone
    | Resumed
)
WEB = "web"


def step(state: SessionState, event: Input, now: float, rules: Rules, *, trace_id: str = "") -> Decision:
    """Decide. The same state, input and time always decide the same; a repeated input changes nothing."""
    decision = Decision(state, now, trace_id)
    _STEPS[type(event)](decision, event, rules)
    return decision


def input_key(event: MessageReceived | SendMessage) -> str:
    """What makes a message the same message. Ids of web clients and agents are unique within their session only."""
    if isinstance(event, SendMessage):
        external = event.external_message_id or event.meta.causation_id or event.meta.event_id
        return dedup_key("service", external, session=event.session_id or event.meta.session_id)
    agent = event.sender.kind == SenderKind.SENDER_KIND_AGENT
    if agent or event.channel in ("", WEB):
        return dedup_key("agent" if agent else WEB, event.external_message_id, session=event.meta.session_id)
    return dedup_key(event.channel, event.external_message_id)


def _message(decision: Decision, event: MessageReceived, rules: Rules) -> None:
    key = input_key(event)
    known = next((r for r in decision.state.recent_ids if r[0] == key), None)
    if known is not None:
        _accept(decision, event, known[1], known[2], duplicate=True)
    elif event.sender.kind == SenderKind.SENDER_KIND_AGENT:
        _from_agent(decision, event, key)
    else:
        _from_visitor(decision, event, key, rules)


def _from_visitor(decision: Decision, event: MessageReceived, key: str, rules: Rules) -> None:
    _open_if_needed(decision, event)
    attach(decision, event.gateway_id if event.channel in ("", WEB) else "")
    message = _stored(event, key, decision.trace_id)
    _accept(decision, event, message.message_id, decision.store_message(message, dedup_key=key))
    turning.supersede_or_wait(decision)
    turning.remember(decision, message)
    state = decision.state
    idle = decision.now + rules.idle_seconds if state.status == OPEN else None
    unanswered = (*state.unanswered, message)[-UNANSWERED_KEPT:] if state.status == OPEN else ()
    decision.change(idle_at=idle, unanswered=unanswered)
    turning.ask_if_needed(decision, rules)


def _from_agent(decision: Decision, event: MessageReceived, key: str) -> None:
    state = decision.state
    if state.status != ASSIGNED or state.agent is None or state.agent.id != event.sender.id:
        # A refused message has no place in the stream: seq 0 says so.
        _accept(decision, event, "", 0)
        return
    message = _stored(event, key, decision.trace_id)
    _accept(decision, event, message.message_id, decision.store_message(message, dedup_key=key))
    turning.remember(decision, message)


def _send_message(decision: Decision, event: SendMessage, rules: Rules) -> None:
    """A service speaks: never over a person, never to somebody who has not come yet, once per cause."""
    key = input_key(event)
    state = decision.state
    if state.status in (NEW, ASSIGNED) or any(known[0] == key for known in state.recent_ids):
        return
    message = Message(
        message_id=_message_id(key, state.tenant),
        sender=Sender(kind=SenderKind.SENDER_KIND_ENGINE, id=event.meta.producer, name="Parley"),
        text=event.text,
        origin=event.origin or "rule",
        finish_reason="stop",
        trace_id=decision.trace_id,
        channel=state.channel,
    )
    decision.store_message(message, dedup_key=key)
    turning.remember(decision, message)


def _attached(decision: Decision, event: StreamAttached, rules: Rules) -> None:
    attach(decision, event.gateway_id)
    decision.heads.append(event.gateway_id)
    turning.join(decision, event.gateway_id)


def _detached(decision: Decision, event: StreamDetached | GatewayGone, rules: Rules) -> None:
    left = tuple(gateway for gateway in decision.state.gateways if gateway != event.gateway_id)
    if left != decision.state.gateways:
        decision.change(gateways=left)


def _typing(decision: Decision, event: VisitorTyping, rules: Rules) -> None:
    """Typing and reading are passing signals: nothing is decided by them yet."""


def _stop(decision: Decision, event: StopRequested, rules: Rules) -> None:
    turning.stopped(decision, event)
    turning.ask_if_needed(decision, rules)


def _take_over(decision: Decision, event: TakeoverRequested, rules: Rules) -> None:
    state = decision.state
    if state.status == NEW:
        _result(decision, event, 404, "there is no such session")
    elif state.status == ASSIGNED and state.agent is not None and state.agent.id == event.agent.id:
        _result(decision, event, 200, "it was yours already")
    elif state.status == ASSIGNED and state.agent is not None:
        _result(decision, event, 409, f"{state.agent.name} has this session")
    else:
        turning.cancel(decision, "takeover")
        agent = Sender()
        agent.CopyFrom(event.agent)
        _own(decision, ASSIGNED, agent, f"taken over by {agent.name}")
        changed = decision.store_change("takeover")
        _result(decision, event, 200, "it is yours", changed)
        taken = SessionTakenOver(meta=decision.meta(), session_id=state.session, ownership=decision.state.ownership)
        taken.agent.CopyFrom(agent)
        decision.fact(taken)


def _hand_back(decision: Decision, event: HandbackRequested, rules: Rules) -> None:
    state = decision.state
    if state.status == NEW:
        _result(decision, event, 404, "there is no such session")
    elif state.status != ASSIGNED or state.agent is None or state.agent.id != event.agent.id:
        _result(decision, event, 409, "only who has the session can hand it back")
    else:
        back = SessionHandedBack(meta=decision.meta(), session_id=state.session, ownership=state.ownership + 1)
        back.agent.CopyFrom(state.agent)
        _own(decision, OPEN, None, f"handed back by {state.agent.name}")
        decision.change(idle_at=decision.now + rules.idle_seconds)
        _result(decision, event, 200, "the engine answers again", decision.store_change("handback"))
        decision.fact(back)


def _close(decision: Decision, event: CloseRequested, rules: Rules) -> None:
    state = decision.state
    if state.status == NEW:
        _result(decision, event, 404, "there is no such session")
    elif state.status == CLOSED:
        _result(decision, event, 200, "it was closed already")
    elif state.status == ASSIGNED and state.agent is not None and state.agent.id != event.by.id:
        _result(decision, event, 409, f"{state.agent.name} has this session")
    else:
        end(decision, "closed")
        _result(decision, event, 200, "it is closed")


def _time_came(decision: Decision, event: TimeCame, rules: Rules) -> None:
    turn = decision.state.turn
    if turn is not None and decision.now >= turn.deadline:
        turning.cancel_upstream(decision, turn)
        turning.fall_back(decision, turn, "deadline", f"nothing within {rules.turn_seconds:g} s")
    idle_at = decision.state.idle_at
    if idle_at is not None and decision.now >= idle_at and decision.state.turn is None:
        end(decision, "idle")


def _resumed(decision: Decision, event: Resumed, rules: Rules) -> None:
    if decision.state.turn is not None:
        turning.request(decision, rules)


def _started(decision: Decision, event: TurnStarted, rules: Rules) -> None:
    turning.started(decision, event)


def _failed(decision: Decision, event: TurnFailed, rules: Rules) -> None:
    turning.failed(decision, event)


def _probed(decision: Decision, event: ShardProbed, rules: Rules) -> None:
    """Only says who owns the shard; no session is meant."""


def attach(decision: Decision, gateway_id: str) -> None:
    """This gateway shows the session; the one that came last is kept longest."""
    if gateway_id and gateway_id not in decision.state.gateways:
        decision.change(gateways=(*decision.state.gateways, gateway_id)[-GATEWAYS_KEPT:])


def end(decision: Decision, reason: str) -> None:
    """The conversation is over; a new message opens it again."""
    turning.cancel(decision, reason)
    decision.change(
        f"closed: {reason}",
        status=CLOSED,
        agent=None,
        ownership=decision.state.ownership + 1,
        idle_at=None,
        waiting_since=None,
        waiting_reason="",
        unanswered=(),
    )
    decision.store_change(reason)
    decision.fact(SessionClosed(meta=decision.meta(), session_id=decision.state.session, reason=reason))


def _open_if_needed(decision: Decision, event: MessageReceived) -> None:
    state = decision.state
    visitor = Sender()
    visitor.CopyFrom(event.sender)
    if state.status not in (NEW, CLOSED):
        decision.change(visitor=visitor, locale=event.sender.locale or state.locale)
        return
    channel = event.channel or WEB
    external = "" if channel == WEB else event.sender.id
    opened = {"status": OPEN, "opened_at": decision.now, "changed_at": decision.now, "channel": channel}
    decision.change("opened", visitor=visitor, locale=event.sender.locale, external_id=external, **opened)
    fact = SessionOpened(meta=decision.meta(), session_id=state.session, channel=channel)
    fact.visitor.CopyFrom(visitor)
    decision.fact(fact)
    if state.status == CLOSED:
        decision.store_change("reopened")


def _own(decision: Decision, status: str, agent: Sender | None, why: str) -> None:
    """Somebody else answers from now on: every result of before is refused by its lower ownership number."""
    decision.change(
        why,
        status=status,
        agent=agent,
        ownership=decision.state.ownership + 1,
        waiting_since=None,
        waiting_reason="",
        idle_at=None,
        unanswered=(),
    )


def _stored(event: MessageReceived, key: str, trace_id: str) -> Message:
    message = Message(
        message_id=_message_id(key, event.meta.tenant_id),
        text=event.text,
        media=event.media,
        trace_id=trace_id,
        client_msg_id=event.external_message_id,
        channel=event.channel or WEB,
    )
    message.sender.CopyFrom(event.sender)
    return message


def _accept(decision: Decision, event: MessageReceived, message_id: str, seq: int, *, duplicate: bool = False) -> None:
    decision.duplicates += duplicate
    if event.gateway_id:
        accepted = Accepted(
            external_message_id=event.external_message_id,
            message_id=message_id,
            seq=seq,
            duplicate=duplicate,
            trace_id=decision.trace_id,
        )
        decision.answers.append(Answered(event.gateway_id, accepted=accepted))


def _result(decision: Decision, event: Any, code: int, message: str, session: Any = None) -> None:
    result = CommandResult(request_id=event.request_id, code=code, message=message, session=session)
    decision.answers.append(Answered(event.gateway_id, result=result))


def _message_id(key: str, tenant: str) -> str:
    """Derived from what makes the message unique, so that a repeated step names it the same."""
    return f"msg_{hashlib.blake2b(f'{tenant}{key}'.encode(), digest_size=12).hexdigest()}"


_STEPS: dict[type, Callable[[Decision, Any, Rules], None]] = {
    MessageReceived: _message,
    SendMessage: _send_message,
    StreamAttached: _attached,
    StreamDetached: _detached,
    GatewayGone: _detached,
    VisitorTyping: _typing,
    MessagesRead: _typing,
    StopRequested: _stop,
    TakeoverRequested: _take_over,
    HandbackRequested: _hand_back,
    CloseRequested: _close,
    TimeCame: _time_came,
    Resumed: _resumed,
    TurnStarted: _started,
    TurnCompleted: turning.completed,
    TurnFailed: _failed,
    ShardProbed: _probed,
}
