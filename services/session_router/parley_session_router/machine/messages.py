"""Messages: a visitor's, an agent's, a service's. Each is stored once, whatever is repeated."""

import hashlib

from parley.contracts.v1 import (
    Accepted,
    Message,
    MessageReceived,
    ReplyRefused,
    Sender,
    SendMessage,
    SessionOpened,
    StreamEvent,
)
from parley.core import Reject
from parley_session_router.machine import bursts, recent, turning
from parley_session_router.machine.decision import AGENT, ENGINE, VISITOR, Answered, Decision
from parley_session_router.machine.state import (
    ASSIGNED,
    CLOSED,
    GATEWAYS_KEPT,
    NEW,
    OPEN,
    UNANSWERED_KEPT,
    Rules,
)
from parley_session_router.store import dedup_key

WEB = "web"
CONFLICT = 409
TEXT_CHARS = 20_000  # the doors allow less; this is for who publishes past them
MEDIA = 20
ID_CHARS = 256


def received(decision: Decision, event: MessageReceived, rules: Rules) -> None:
    """Somebody wrote."""
    _check(event.text, len(event.media), event.external_message_id)
    key = input_key(event)
    message_id = message_id_of(event.meta.tenant_id, key)
    known = recent.seq_of(decision.state.recent_ids, message_id)
    if known is not None:
        _accept(decision, event, message_id, known, duplicate=True)
    elif event.sender.kind == AGENT:
        _from_agent(decision, event, key, message_id)
    else:
        _from_visitor(decision, event, key, message_id, rules)


def send(decision: Decision, event: SendMessage, rules: Rules) -> None:
    """A service speaks: never over a person, never to somebody who has not come yet, once per cause."""
    _check(event.text, 0, event.external_message_id)
    key = input_key(event)
    state = decision.state
    message_id = message_id_of(state.tenant, key)
    if recent.seq_of(state.recent_ids, message_id) is not None or _refused_before(decision, event):
        decision.duplicates += 1
        return
    if state.status in (NEW, ASSIGNED):
        _refuse(decision, event)
        reason = "ownership" if state.status == ASSIGNED else "no_session"
        decision.fact(ReplyRefused(meta=decision.meta(), session_id=state.session, reason=reason))
        return
    said = Message(
        message_id=message_id,
        sender=Sender(kind=ENGINE, id=event.meta.producer, name="Parley"),
        text=event.text,
        origin=event.origin or "rule",
        ai_generated=event.origin in {"llm", "local_llm", "cache"},
        finish_reason="stop",
        trace_id=decision.trace_id,
        channel=state.channel,
    )
    entry = StreamEvent(message_end=said)
    decision.store_message(entry, entry.message_end, dedup_key=key)
    turning.remember(decision, said)


def attach(decision: Decision, gateway_id: str) -> None:
    """This gateway shows the session; the one that came last is kept longest."""
    if gateway_id and gateway_id not in decision.state.gateways:
        decision.change(gateways=(*decision.state.gateways, gateway_id)[-GATEWAYS_KEPT:])


def input_key(event: MessageReceived | SendMessage) -> str:
    """What makes a message the same message. Ids of web clients and agents are unique within their session only."""
    if isinstance(event, SendMessage):
        external = event.external_message_id or event.meta.causation_id or event.meta.event_id
        return dedup_key("service", external, session=event.meta.session_id)
    external = event.external_message_id or event.meta.event_id
    agent = event.sender.kind == AGENT
    if agent or event.channel in ("", WEB):
        return dedup_key("agent" if agent else WEB, external, session=event.meta.session_id)
    return dedup_key(event.channel, external)


def _from_visitor(decision: Decision, event: MessageReceived, key: str, message_id: str, rules: Rules) -> None:
    entry = _entry(event, message_id, decision.trace_id)
    message = entry.message
    message.sender.kind = VISITOR
    _open_if_needed(decision, event, message.sender)
    attach(decision, event.gateway_id if event.channel in ("", WEB) else "")
    _accept(decision, event, message_id, decision.store_message(entry, message, dedup_key=key))
    bursts.supersede_or_wait(decision)
    turning.remember(decision, message)
    if decision.state.status == OPEN:
        decision.change(unanswered=(*decision.state.unanswered, message)[-UNANSWERED_KEPT:])
        turning.ask_if_needed(decision, rules)


def _from_agent(decision: Decision, event: MessageReceived, key: str, message_id: str) -> None:
    state = decision.state
    holds = state.status == ASSIGNED and state.agent is not None and state.agent.id == event.sender.id
    if not holds or _refused_before(decision, event):
        _refuse(decision, event)
        _accept(decision, event, "", 0)  # a refused message has no place in the stream: seq 0 says so
        return
    entry = _entry(event, message_id, decision.trace_id)
    _accept(decision, event, message_id, decision.store_message(entry, entry.message, dedup_key=key))
    turning.remember(decision, entry.message)


def _open_if_needed(decision: Decision, event: MessageReceived, visitor: Sender) -> None:
    state = decision.state
    locale = visitor.locale or state.locale
    if state.status not in (NEW, CLOSED):
        if visitor != state.visitor:
            decision.change(visitor=_copy(visitor), locale=locale)
        return
    channel = event.channel or WEB
    decision.change(
        "opened" if state.status == NEW else "reopened by a message",
        status=OPEN,
        opened_at=decision.now,
        channel=channel,
        external_id="" if channel == WEB else visitor.id,
        visitor=_copy(visitor),
        locale=locale,
    )
    decision.fact(SessionOpened(meta=decision.meta(), session_id=state.session, channel=channel, visitor=visitor))
    if state.status == CLOSED:
        decision.store_change("reopened")


def _copy(visitor: Sender) -> Sender:
    """One of its own: a part of an event would keep all of it in memory."""
    own = Sender()
    own.CopyFrom(visitor)
    return own


def _entry(event: MessageReceived, message_id: str, trace_id: str) -> StreamEvent:
    """Built in its place and field by field, which costs a third of building it by itself and copying it there."""
    entry = StreamEvent()
    message = entry.message
    message.message_id = message_id
    message.sender.CopyFrom(event.sender)
    message.text = event.text
    message.trace_id = trace_id
    message.client_msg_id = event.external_message_id
    message.channel = event.channel or WEB
    if event.media:
        message.media.extend(event.media)
    return entry


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


def _refuse(decision: Decision, event: MessageReceived | SendMessage) -> None:
    """Refused once, this very event stays refused when it is repeated; written anew, it has another chance."""
    if not _refused_before(decision, event):
        decision.keep_result(f"refused {event.meta.event_id}", CONFLICT)


def _refused_before(decision: Decision, event: MessageReceived | SendMessage) -> bool:
    return decision.command_result(f"refused {event.meta.event_id}") is not None


def message_id_of(tenant: str, key: str) -> str:
    """Derived from what makes the message unique: a repeat is known by it, a repeated step names it the same."""
    return f"msg_{hashlib.blake2b(f'{tenant}{key}'.encode(), digest_size=12).hexdigest()}"


def _check(text: str, media: int, external_id: str) -> None:
    if not text.strip() and not media:
        raise Reject("a message needs a text or a picture")
    if len(text) > TEXT_CHARS:
        raise Reject(f"the text has {len(text)} characters; {TEXT_CHARS} are allowed")
    if media > MEDIA:
        raise Reject(f"the message has {media} pictures; {MEDIA} are allowed")
    if len(external_id) > ID_CHARS:
        raise Reject(f"the message's own id has {len(external_id)} characters; {ID_CHARS} are allowed")
