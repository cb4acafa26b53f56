"""Events with calm defaults, half of them Chinese, so that a test names only what matters to it."""

from google.protobuf.timestamp_pb2 import Timestamp

from parley.contracts.v1 import (
    EventMeta,
    Message,
    MessageReceived,
    MessageStored,
    Sender,
    SenderKind,
    TurnRequested,
)
from parley.core import new_id

TENANT = "demo"
SESSION = "ses_王小明"


def a_meta(*, tenant: str = TENANT, session: str = SESSION) -> EventMeta:
    """Tenant and session; the bus fills in the rest."""
    return EventMeta(tenant_id=tenant, session_id=session)


def a_timestamp(seconds: float = 1_800_000_000.0) -> Timestamp:
    """Unix seconds as protobuf has them."""
    stamp = Timestamp()
    stamp.FromMilliseconds(int(seconds * 1000))
    return stamp


def a_visitor(*, name: str = "王小明", locale: str = "zh-CN") -> Sender:
    """Somebody who writes."""
    return Sender(kind=SenderKind.SENDER_KIND_VISITOR, id="visitor-1", name=name, locale=locale)


def an_agent(*, name: str = "李娜") -> Sender:
    """A person of the desk."""
    return Sender(kind=SenderKind.SENDER_KIND_AGENT, id="agent-1", name=name)


def a_message_received(
    text: str = "我要退款", *, tenant: str = TENANT, session: str = SESSION, external_id: str = "", gateway: str = "g1"
) -> MessageReceived:
    """A visitor wrote."""
    return MessageReceived(
        meta=a_meta(tenant=tenant, session=session),
        channel="web",
        external_message_id=external_id or new_id("c"),
        sender=a_visitor(),
        text=text,
        gateway_id=gateway,
    )


def a_message(text: str = "你好", *, seq_id: str = "", sender: Sender | None = None) -> Message:
    """A stored message."""
    return Message(message_id=seq_id or new_id("msg"), sender=sender or a_visitor(), text=text, channel="web")


def a_message_stored(text: str = "hello", *, session: str = SESSION, seq: int = 1) -> MessageStored:
    """The fact that a message was stored."""
    return MessageStored(meta=a_meta(session=session), session_id=session, seq=seq, message=a_message(text))


def a_turn(*asked: str, session: str = SESSION, locale: str = "zh-CN", seconds: float = 30.0) -> TurnRequested:
    """A question for an engine, due `seconds` after the virtual clock's start."""
    return TurnRequested(
        meta=a_meta(session=session),
        turn_id=new_id("turn"),
        message_id=new_id("msg"),
        ownership=1,
        asked=[a_message(text) for text in (asked or ("多久可以退货？",))],
        channel="web",
        locale=locale,
        deadline=a_timestamp(1_800_000_000.0 + seconds),
        gateway_ids=["g1"],
    )
