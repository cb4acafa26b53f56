"""A session as a handful of plain variables: what each input must put into the stream. Knows nothing of the machine."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from parley.contracts.v1 import (
    CloseRequested,
    HandbackRequested,
    MessageReceived,
    SenderKind,
    SendMessage,
    StopRequested,
    StreamAttached,
    TakeoverRequested,
    TurnCompleted,
    TurnFailed,
    TurnStarted,
    VisitorTyping,
)
from parley_session_router.machine import GatewayGone, TimeCame

TURN, IDLE, TYPING, HOLD = 45.0, 600.0, 3.0, 2.0
FINISHED_KEPT, UNENDED_KEPT, UNANSWERED_KEPT = 16, 4, 20


@dataclass
class Oracle:
    """`hear` says what an input adds to the stream, as words."""

    status: str = "new"
    holder: str = ""
    ownership: int = 1
    running: str = ""
    begun: bool = False
    deadline: float = 0.0
    asked: list[str] = field(default_factory=list)
    unanswered: list[tuple[str, float]] = field(default_factory=list)
    starts_at: float | None = None
    idle_at: float | None = None
    finished: list[str] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)
    gateways: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    refused: int = 0  # replies

    def hear(self, event: Any, now: float) -> list[str]:
        """The words for what this input stores."""
        act = _ACTS.get(type(event))
        said = act(self, event, now) if act is not None else []
        if said:
            self.idle_at = now + IDLE if self.status == "open" else None
        return said

    @property
    def asks(self) -> bool:
        """Whether a turn must be running now."""
        return self.status == "open" and bool(self.unanswered) and self.starts_at is None

    def asks_now(self, turn: str, now: float) -> None:
        """A turn was asked for."""
        self.running, self.begun, self.deadline = turn, False, now + TURN
        self.asked = [name for name, _ in self.unanswered]

    def _new(self, key: str) -> bool:
        known = key in self.seen
        self.seen.add(key)
        return not known

    def _ends(self, outcome: str) -> None:
        self.outcomes.append((self.running, outcome))
        self.finished = [*self.finished, self.running][-FINISHED_KEPT:]
        self.running = ""

    def _cancels(self) -> list[str]:
        if not self.running:
            return []
        if not self.begun:
            self.unended = [*self.unended, self.running][-UNENDED_KEPT:]
        closed = ["end cancelled"] if self.begun else []
        self._ends("cancelled")
        return closed

    def _owns(self, status: str, holder: str) -> None:
        self.status, self.holder, self.ownership = status, holder, self.ownership + 1
        self.unanswered, self.starts_at = [], None

    def _waits(self, reason: str) -> list[str]:
        self.status, self.unanswered, self.starts_at = "waiting", [], None
        return [f"session {reason}"]

    def message(self, event: MessageReceived, now: float) -> list[str]:
        name = event.external_message_id
        if event.sender.kind == SenderKind.SENDER_KIND_AGENT:
            return self._agent_says(event, name)
        if not self._new(f"visitor {name}"):
            return []
        self.gateways.add(event.gateway_id)
        said = ["session reopened"] if self.status == "closed" else []
        if self.status in ("new", "closed"):
            self.status = "open"
        if not self.begun:
            self._cancels()
        self.starts_at = None
        if self.status == "open":
            self.unanswered = [*self.unanswered, (name, now)][-UNANSWERED_KEPT:]
        return [*said, f"visitor {name}"]

    def _agent_says(self, event: MessageReceived, name: str) -> list[str]:
        if f"agent {name}" in self.seen or f"refused {event.meta.event_id}" in self.seen:
            return []
        if self.holder != event.sender.id:
            self.seen.add(f"refused {event.meta.event_id}")
            return []
        self.seen.add(f"agent {name}")
        return [f"agent {name}"]

    def send(self, event: SendMessage, now: float) -> list[str]:
        name = event.external_message_id
        if f"service {name}" in self.seen or f"refused {event.meta.event_id}" in self.seen:
            return []
        if self.status in ("new", "assigned"):
            self.seen.add(f"refused {event.meta.event_id}")
            self.refused += 1
            return []
        self.seen.add(f"service {name}")
        return ["service"]

    def typing(self, event: VisitorTyping, now: float) -> list[str]:
        if self.status != "open" or not self.unanswered or (self.running and self.begun):
            return []
        until = min(now + TYPING, self.unanswered[0][1] + HOLD)
        if until > now:
            self._cancels()
            self.starts_at = until
        return []

    def take_over(self, event: TakeoverRequested, now: float) -> list[str]:
        if not self._new(event.request_id) or self.status == "new" or self.holder:
            return []
        closed = self._cancels()
        self._owns("assigned", event.agent.id)
        return [*closed, "session takeover"]

    def hand_back(self, event: HandbackRequested, now: float) -> list[str]:
        if not self._new(event.request_id) or not self.holder or self.holder != event.agent.id:
            return []
        self._owns("open", "")
        return ["session handback"]

    def close(self, event: CloseRequested, now: float) -> list[str]:
        if not self._new(event.request_id) or self.status in ("new", "closed"):
            return []
        if self.holder not in ("", event.by.id):
            return []
        closed = self._cancels()
        self._owns("closed", "")
        return [*closed, "session closed"]

    def stop(self, event: StopRequested, now: float) -> list[str]:
        if not self._new(event.meta.event_id):
            return []
        if not self.running:
            if self.starts_at is not None:
                self.unanswered, self.starts_at = [], None
            return []
        self.unanswered = [one for one in self.unanswered if one[0] not in self.asked]
        return self._cancels()

    def started(self, event: TurnStarted, now: float) -> list[str]:
        if event.turn_id == self.running:
            self.begun = True
            return []
        return self._closes(event.turn_id)

    def _closes(self, turn: str) -> list[str]:
        if turn not in self.unended:
            return []
        self.unended.remove(turn)
        return ["end cancelled"] if self.gateways else []

    def completed(self, event: TurnCompleted, now: float) -> list[str]:
        if not self._accepts(event):
            return []
        self.unanswered = [one for one in self.unanswered if one[0] not in self.asked]
        self._ends("person" if event.HasField("handoff") else "answer")
        said = ["end answered"]
        return said + self._waits(event.handoff.reason) if event.HasField("handoff") else said

    def failed(self, event: TurnFailed, now: float) -> list[str]:
        if not self._accepts(event):
            return []
        self._ends("fallback")
        return ["end no_answer", *self._waits("engine_failed")]

    def _accepts(self, event: TurnCompleted | TurnFailed) -> bool:
        good = event.turn_id == self.running and event.ownership == self.ownership
        self.refused += not good
        return good

    def attached(self, event: StreamAttached, now: float) -> list[str]:
        self.gateways.add(event.gateway_id)
        return []

    def gone(self, event: GatewayGone, now: float) -> list[str]:
        self.gateways.discard(event.gateway_id)
        return []

    def time_came(self, event: TimeCame, now: float) -> list[str]:
        if self.running:
            if now < self.deadline:
                return []
            self._ends("fallback")
            return ["end no_answer", *self._waits("deadline")]
        if self.starts_at is not None:
            if now >= self.starts_at:
                self.starts_at = None
            return []
        if self.idle_at is None or now < self.idle_at:
            return []
        self._owns("closed", "")
        return ["session idle"]


_ACTS: dict[type, Callable[[Oracle, Any, float], list[str]]] = {
    MessageReceived: Oracle.message,
    SendMessage: Oracle.send,
    VisitorTyping: Oracle.typing,
    TakeoverRequested: Oracle.take_over,
    HandbackRequested: Oracle.hand_back,
    CloseRequested: Oracle.close,
    StopRequested: Oracle.stop,
    TurnStarted: Oracle.started,
    TurnCompleted: Oracle.completed,
    TurnFailed: Oracle.failed,
    StreamAttached: Oracle.attached,
    GatewayGone: Oracle.gone,
    TimeCame: Oracle.time_came,
}
