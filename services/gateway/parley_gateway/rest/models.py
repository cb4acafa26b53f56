"""Bodies and answers of the REST calls, as OpenAPI shows them."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

MOST = 2**32 - 1  # what a position can be
MESSAGE: JsonDict = {
    "channel": "wechat",
    "external_message_id": "wx-24536",
    "sender": {"external_id": "wxid_wang", "name": "王小明", "locale": "zh-CN"},
    "text": "多久可以退货？",
    "sent_at": "2026-11-20T10:00:00+08:00",
}
CHANNEL = r"^[a-z][a-z0-9_-]{0,31}$"


class Body(BaseModel):
    """What a caller sends; fields that we do not know are an error, since they are usually a slip."""

    model_config = ConfigDict(extra="forbid", str_max_length=100_000)


class VisitorTokenIn(Body):
    """A page asks for its visitor's token."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"site_key": "demo"}]})

    site_key: str = Field(min_length=1, max_length=200)
    returning: str = Field("", max_length=4096, description="an earlier token, expired or not: keeps its session")


class VisitorTokenOut(BaseModel):
    """A short-lived token for one session."""

    token: str
    session_id: str
    expires_at: str


class SenderIn(Body):
    """Who wrote, in the terms of the channel."""

    external_id: str = Field(min_length=1, max_length=200, description="the visitor's id in the channel")
    name: str = Field("", max_length=80)
    locale: str = Field("", max_length=35, description="BCP 47, such as zh-CN")


class MessageIn(Body):
    """One inbound message of a channel."""

    model_config = ConfigDict(json_schema_extra={"examples": [MESSAGE]})

    channel: str = Field(pattern=CHANNEL, description="the channel's name, such as wechat")
    external_message_id: str = Field(min_length=1, max_length=128, description="the same when it is sent again")
    sender: SenderIn
    text: str = ""
    media_id: str = Field("", max_length=100, description="of a picture uploaded before, by POST /v1/media")
    sent_at: AwareDatetime | None = Field(None, description="by the channel's clock, with its offset; now by default")


class MessageOut(BaseModel):
    """Where the message went. `seq` is null while the commit is under way (202)."""

    message_id: str | None
    session_id: str
    seq: int | None
    duplicate: bool | None
    trace_id: str


class AgentMessageIn(Body):
    """What an agent writes in a session that they hold."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "您好，我来为您处理。", "client_msg_id": "a-1"}]}
    )

    text: str = ""
    media_id: str = Field("", max_length=100, description="of a picture uploaded before, by POST /v1/media")
    client_msg_id: str = Field(
        "", max_length=128, description="the same when it is sent again; Idempotency-Key also works"
    )


class AgentIn(Body):
    """Who takes over or hands back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "李娜"}]})

    name: str = Field("", max_length=80, description="as the visitor sees it; the key's name when empty")


class SessionOut(BaseModel):
    """A session as operators and agents see it."""

    session_id: str
    status: Literal["open", "waiting", "assigned", "closed"]
    channel: str
    visitor: dict[str, str]
    agent: dict[str, str] | None
    epoch: int
    head_seq: int
    ownership: int
    opened_at: str | None
    changed_at: str | None
    waiting_since: str | None
    waiting_reason: str
    running_turn: str
    last_text: str
    why: list[str]


class SessionPage(BaseModel):
    """Some sessions, and the cursor of the next ones (empty at the end)."""

    sessions: list[SessionOut]
    next: str


class EventPage(BaseModel):
    """Stored events of a session, oldest first, in the shape of the realtime protocol's `event`."""

    epoch: int
    head_seq: int
    events: list[dict[str, Any]]
    next: int | None = Field(description="after_seq of the next page; null at the end")


class MediaOut(BaseModel):
    """A stored picture."""

    media_id: str
    mime_type: str
    width: int
    height: int
    size: int
    url: str
    name: str


class OutboxItemOut(BaseModel):
    """One reply that a channel has to send to its visitor."""

    session_id: str
    recipient: str
    event: dict[str, Any]


class OutboxPage(BaseModel):
    """Replies after a cursor; send them, then ask again with `cursor`."""

    items: list[OutboxItemOut]
    cursor: str


class SpanOut(BaseModel):
    """One action of a trace; times are unix nanoseconds."""

    span_id: str
    parent_span_id: str
    name: str
    service: str
    kind: str
    status: str
    start_unix_ns: int
    end_unix_ns: int
    attributes: dict[str, str]


class TraceOut(BaseModel):
    """A trace as far as this gateway has heard of it."""

    trace_id: str
    spans: list[SpanOut]


class HelloIn(BaseModel):
    """A `hello` frame; with `cookie` its token is also kept for the event stream, which has no headers."""

    hello: dict[str, Any]
    cookie: bool = False


class PollOut(BaseModel):
    """Frames of Parley Realtime, oldest first, and where the client stands then."""

    frames: list[dict[str, Any]]
    cursor: str
    retry_ms: int = Field(description="how long to wait before the next request; 0 for not at all")


class SendIn(BaseModel):
    """One of the frames `send`, `typing`, `read` and `stop`; name and language of who writes besides."""

    send: dict[str, Any] | None = None
    typing: dict[str, Any] | None = None
    read: dict[str, Any] | None = None
    stop: dict[str, Any] | None = None
    name: str = ""
    locale: str = ""


class AckOut(BaseModel):
    """The `ack` of a message; nothing for what is only passing."""

    ack: dict[str, Any] | None = None
