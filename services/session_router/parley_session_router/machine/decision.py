"""What one step decided: the new state, what is stored, what is sent, and why."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import Struct
from msgspec.structs import replace

from parley.bus import Event, Route
from parley.bus.routes import as_fact
from parley.contracts.v1 import (
    Accepted,
    CommandResult,
    EventMeta,
    Message,
    MessageStored,
    SenderKind,
    SessionChanged,
    SessionStatus,
    StreamEvent,
)
from parley_session_router.machine import recent
from parley_session_router.machine.state import (
    ASSIGNED,
    CLOSED,
    COMMANDS_KEPT,
    OPEN,
    WAITING,
    WHY_CHARS,
    WHY_KEPT,
    Reason,
    SessionState,
)

STATUS = {
    OPEN: SessionStatus.SESSION_STATUS_OPEN,
    WAITING: SessionStatus.SESSION_STATUS_WAITING,
    ASSIGNED: SessionStatus.SESSION_STATUS_ASSIGNED,
    CLOSED: SessionStatus.SESSION_STATUS_CLOSED,
}


# Looked up once: an enum's names cost more than its numbers.
VISITOR, ENGINE = SenderKind.SENDER_KIND_VISITOR, SenderKind.SENDER_KIND_ENGINE
AGENT, SYSTEM = SenderKind.SENDER_KIND_AGENT, SenderKind.SENDER_KIND_SYSTEM
LAST_TEXT = 60  # characters of the newest message that listings show


class Entry(Struct, frozen=True):
    """One durable entry of the stream."""

    event: StreamEvent
    message_id: str
    dedup_key: str | None = None
    outgoing: bool = False  # the visitor of a channel must be sent it


class Answered(Struct, frozen=True):
    """What one gateway waits to hear, besides the entries."""

    gateway_id: str
    accepted: Accepted | None = None
    result: CommandResult | None = None


@dataclass(slots=True)
class Decision:
    """Built up by one step; `state` is replaced, never changed."""

    state: SessionState
    now: float
    traceparent: str = ""  # of the step, for whatever it causes
    hears: Callable[[type[Event]], bool] = lambda _: True  # whether facts of a kind have a reader
    entries: list[Entry] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)  # gateways that want to know where the stream stands
    sends: list[tuple[Route, Event]] = field(default_factory=list)
    duplicates: int = 0
    outcome: tuple[str, str, float] | None = None  # of the turn that this step ended: outcome, origin, its seconds
    outcome_reason: str = ""  # why it was not simply answered
    _at: Timestamp | None = None

    @property
    def at(self) -> Timestamp:
        """Now, as protobuf has it."""
        if self._at is None:
            self._at = stamp(self.now)
        return self._at

    @property
    def trace_id(self) -> str:
        """As people are shown it."""
        return self.traceparent[3:35]

    @property
    def why(self) -> str:
        """The newest reason."""
        return self.state.decisions[0].why if self.state.decisions else ""

    def change(self, why: str = "", **fields: Any) -> None:
        """Move the state on; `why` is kept for whoever asks later."""
        if why:
            reason = Reason(int(self.now), why[:WHY_CHARS])
            fields["decisions"] = (reason, *self.state.decisions)[:WHY_KEPT]
        self.state = replace(self.state, **fields)

    def command_result(self, request: str) -> int | None:
        """What came of this command when it was decided before."""
        return next((code for name, code in self.state.commands if name == request), None)

    def keep_result(self, request: str, code: int) -> None:
        """Know a repeat of this command by its result."""
        self.change(commands=(*self.state.commands, (request, code))[-COMMANDS_KEPT:])

    def meta(self) -> EventMeta:
        """Of an event about this session."""
        return EventMeta(tenant_id=self.state.tenant, session_id=self.state.session)

    def send(self, route: Route, event: Event) -> None:
        """Work for somebody."""
        self.sends.append((route, event))

    def fact(self, event: Event) -> None:
        """Something that others may react to; where nobody hears of it, it is not said."""
        if self.hears(type(event)):
            self.sends.append((as_fact(event), event))

    def store_message(self, event: StreamEvent, message: Message, *, dedup_key: str | None = None) -> int:
        """Give a message, which is the body of `event`, the next place in the stream; returns its seq.

        What a visitor or an agent says is `event.message`; what a program says, or ends a turn, `event.message_end`.
        """
        message.created_at.CopyFrom(self.at)
        outgoing = message.sender.kind != VISITOR and bool(message.text or message.media)
        seq = self._append(event, message.message_id, dedup_key, outgoing=outgoing)
        if self.hears(MessageStored):  # asked first, since it would be made for every message
            self.fact(MessageStored(meta=self.meta(), session_id=self.state.session, seq=seq, message=message))
        return seq

    def store_change(self, reason: str) -> SessionChanged:
        """Note in the stream who answers from now on."""
        state = self.state
        changed = SessionChanged(status=STATUS[state.status], ownership=state.ownership, reason=reason)
        if state.agent is not None:
            changed.agent.CopyFrom(state.agent)
        self._append(StreamEvent(session=changed), f"{state.session}.{state.head_seq + 1}", None, outgoing=False)
        return changed

    def _append(self, event: StreamEvent, message_id: str, dedup_key: str | None, *, outgoing: bool) -> int:
        seq = self.state.head_seq + 1
        event.seq = seq
        event.at.CopyFrom(self.at)
        self.entries.append(Entry(event, message_id, dedup_key, outgoing))
        known = self.state.recent_ids if dedup_key is None else recent.add(self.state.recent_ids, message_id, seq)
        self.change(head_seq=seq, changed_at=self.now, recent_ids=known)
        return seq


def stamp(seconds: float) -> Timestamp:
    """Unix seconds as protobuf has them."""
    whole = int(seconds)
    return Timestamp(seconds=whole, nanos=int((seconds - whole) * 1e9))
