"""A session as the machine knows it. Times are unix seconds; contract messages are held as values and never changed."""

from dataclasses import dataclass

from parley.contracts.v1 import Message, Sender

NEW, OPEN, WAITING, ASSIGNED, CLOSED = "new", "open", "waiting", "assigned", "closed"

GATEWAYS_KEPT = 16
RECENT_KEPT = 10  # messages that go with a turn as its history
UNANSWERED_KEPT = 20
WHY_KEPT = 8
RECENT_TEXT = 2000  # characters of one message that go with later turns


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator may set."""

    turn_seconds: float = 45.0
    idle_seconds: float = 600.0
    group: str = "default"


@dataclass(frozen=True, slots=True)
class RunningTurn:
    """A question that an engine works on."""

    turn_id: str
    message_id: str
    ownership: int
    requested_at: float
    deadline: float
    asked: tuple[str, ...] = ()  # ids of the messages that it answers
    attempt: int = 1
    engine_id: str = ""
    begun: bool = False  # something of the answer has been shown


@dataclass(frozen=True, slots=True)
class SessionState:
    """Everything that a decision depends on."""

    tenant: str
    session: str
    status: str = NEW
    epoch: int = 1
    head_seq: int = 0
    ownership: int = 1
    turns: int = 0
    channel: str = ""
    external_id: str = ""
    locale: str = ""
    visitor: Sender | None = None
    agent: Sender | None = None
    opened_at: float = 0.0
    changed_at: float = 0.0
    waiting_since: float | None = None
    waiting_reason: str = ""
    idle_at: float | None = None
    turn: RunningTurn | None = None
    gateways: tuple[str, ...] = ()
    unanswered: tuple[Message, ...] = ()  # the visitor's messages that no reply has covered yet
    recent: tuple[Message, ...] = ()
    recent_ids: tuple[tuple[str, str, int], ...] = ()  # (dedup key, message_id, seq)
    finished: tuple[str, ...] = ()  # the last turn ids that had their outcome
    last_text: str = ""
    dialogue: bytes = b""
    why: tuple[str, ...] = ()

    @property
    def due_at(self) -> float | None:
        """When the machine must look at this session again."""
        times = [t for t in (self.turn.deadline if self.turn else None, self.idle_at) if t is not None]
        return min(times) if times else None


@dataclass(frozen=True, slots=True)
class TimeCame:
    """A timer of the session is due."""


@dataclass(frozen=True, slots=True)
class GatewayGone:
    """A delivery found no such gateway."""

    gateway_id: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """A new owner took over on a bus that forgets: what was asked of engines must be asked again."""
