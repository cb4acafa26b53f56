"""A session as the machine knows it. Times are unix seconds; contract messages are held as values and never changed.

Frozen msgspec structs: like frozen dataclasses, but a changed copy costs a sixteenth, and their bytes are their fields.
"""

from typing import NamedTuple

from msgspec import Struct

from parley.contracts.v1 import Message, Sender

NEW, OPEN, WAITING, ASSIGNED, CLOSED = "new", "open", "waiting", "assigned", "closed"

GATEWAYS_KEPT = 16
RECENT_KEPT = 10  # messages that go with a turn as its history
UNANSWERED_KEPT = 20
FINISHED_KEPT = 16
COMMANDS_KEPT = 16
UNENDED_KEPT = 4
WHY_KEPT = 8
WHY_CHARS = 200
RECENT_TEXT = 2000  # characters of one message that go with later turns


class Rules(Struct, frozen=True):
    """What an operator may set, for every bot or for one. A bot is a tenant, or one of its channels."""

    turn_seconds: float = 45.0
    idle_seconds: float = 600.0
    group: str = "default"
    typing_seconds: float = 3.0  # how long the visitor is taken to type on after a typing signal
    hold_seconds: float = 2.0  # a turn's start waits no longer for a visitor who types
    bots: dict[str, "Rules"] = {}  # by "tenant" or "tenant/channel"; the latter is preferred

    def of(self, tenant: str, channel: str) -> "Rules":
        """The rules of the bot that answers there."""
        return self.bots.get(f"{tenant}/{channel}") or self.bots.get(tenant) or self

    @property
    def longest_turn(self) -> float:
        """Seconds after which no turn of any bot can still run."""
        return max([self.turn_seconds, *(bot.turn_seconds for bot in self.bots.values())])


class RunningTurn(Struct, frozen=True, omit_defaults=True):
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
    traceparent: str = ""  # of what led to it, so that its deadline ends in the same trace
    joined: tuple[str, ...] = ()  # gateways that began to show the session before the engine was known


class Reason(NamedTuple):
    """What was decided, and when; kept for whoever asks later."""

    at: int  # unix seconds: whole ones take half the bytes
    why: str


class SessionState(Struct, frozen=True, omit_defaults=True):
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
    starts_at: float | None = None  # the visitor types: the next turn starts then, if nothing comes before
    turn: RunningTurn | None = None
    gateways: tuple[str, ...] = ()
    unanswered: tuple[Message, ...] = ()  # the visitor's messages that no reply has covered yet
    rounds: tuple[bytes, ...] = ()  # the last messages, each as bytes of the TurnRequested that will take it
    recent_ids: bytes = b""  # see `recent`
    finished: tuple[str, ...] = ()  # the last turn ids that had their outcome
    commands: tuple[tuple[str, int], ...] = ()  # (request, result code) of the last ones, so that repeats are known
    last_text: str = ""
    dialogue: bytes = b""
    decisions: tuple[Reason, ...] = ()  # the last ones, newest first
    unended: tuple[tuple[str, str], ...] = ()  # (turn, message) cancelled as if nothing was shown, as far as was known

    @property
    def due_at(self) -> float | None:
        """When the machine must look at this session again. A question is awaited before silence is counted."""
        if self.turn is not None:
            return self.turn.deadline
        return self.idle_at if self.starts_at is None else self.starts_at


class TimeCame(Struct, frozen=True):
    """A timer of the session is due."""


class GatewayGone(Struct, frozen=True):
    """A delivery found no such gateway."""

    gateway_id: str


class Resumed(Struct, frozen=True):
    """A new owner took over on a bus that forgets: what was asked of engines must be asked again."""
