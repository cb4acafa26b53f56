"""A turn as the stages see it, and what they make of it."""

from dataclasses import dataclass, field

from parley.contracts.v1 import Handoff, Message, Sender, SenderKind, Source, TurnRequested
from parley_ai_engine.costs.usage import Payer


@dataclass(frozen=True, slots=True)
class Turn:
    """What is asked, and by whom. Times are unix seconds."""

    turn_id: str
    message_id: str
    tenant: str
    session: str
    ownership: int
    locale: str
    asked: tuple[str, ...]
    earlier: tuple[str, ...]  # the visitor's own earlier messages, oldest first
    recent: tuple[tuple[str, str], ...]  # (user | assistant, text), oldest first
    deadline: float
    gateways: tuple[str, ...]
    pictures: int = 0
    channel: str = ""
    contact: str = ""  # the visitor's external id in its channel

    @staticmethod
    def from_event(event: TurnRequested) -> "Turn":
        """Read what the router asks."""
        recent = [message for message in event.recent if message.text]
        return Turn(
            turn_id=event.turn_id,
            message_id=event.message_id,
            tenant=event.meta.tenant_id,
            session=event.meta.session_id,
            ownership=event.ownership,
            locale=event.locale,
            asked=tuple(message.text for message in event.asked),
            earlier=tuple(m.text for m in recent if m.sender.kind == SenderKind.SENDER_KIND_VISITOR),
            recent=tuple((_role(m), m.text) for m in recent),
            deadline=event.deadline.seconds + event.deadline.nanos / 1e9,
            gateways=tuple(event.gateway_ids),
            pictures=sum(len(message.media) for message in event.asked),
            channel=event.channel,
            contact=event.asked[-1].sender.id if event.asked else "",
        )

    @property
    def question(self) -> str:
        """All that was asked in this turn."""
        return "\n".join(self.asked).strip()

    @property
    def payer(self) -> Payer:
        """For whom models work in this turn."""
        return Payer(self.tenant, self.session, self.turn_id, self.channel, self.contact)


def _role(message: Message) -> str:
    return "user" if message.sender.kind == SenderKind.SENDER_KIND_VISITOR else "assistant"


@dataclass(frozen=True, slots=True)
class Reply:
    """What to say, where it comes from, and whether a person must take over."""

    text: str
    origin: str  # extractive, llm, rule
    sources: tuple[Source, ...] = ()
    finish_reason: str = "stop"
    confidence: float = 0.0
    notice: str = ""
    handoff: Handoff | None = None
    why: dict[str, str] = field(default_factory=dict)
    level: str = ""  # the rung of the ladder it stands on, L0 to L5

    def message(self, turn: Turn, engine: str, trace_id: str) -> Message:
        """As it is stored."""
        return Message(
            message_id=turn.message_id,
            sender=Sender(kind=SenderKind.SENDER_KIND_ENGINE, id=engine, name="Parley"),
            text=self.text,
            origin=self.origin,
            finish_reason=self.finish_reason,
            sources=self.sources,
            trace_id=trace_id,
            turn_id=turn.turn_id,
            ai_generated=self.origin in {"llm", "local_llm", "cache"},
            notice=self.notice,
            confidence=self.confidence,
        )
