"""Server frames as JSON and as protobuf, from one description.

A frame is built once as plain values in the shape of `ServerFrame`; JSON is its proto3 mapping with the proto's own
names, protobuf is the message made from the same values. Client frames are read from either.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from parley.contracts.v1 import (
    ClientFrame,
    MediaRef,
    Message,
    Sender,
    SenderKind,
    ServerFrame,
    SessionStatus,
    Source,
    StreamEvent,
)
from parley.core import Invalid

Frame = dict[str, Any]
Encoder = Callable[[Frame], bytes]

_SENDERS = {
    SenderKind.SENDER_KIND_VISITOR: "visitor",
    SenderKind.SENDER_KIND_ENGINE: "engine",
    SenderKind.SENDER_KIND_AGENT: "agent",
    SenderKind.SENDER_KIND_SYSTEM: "system",
}
STATUS_WORDS = {
    SessionStatus.SESSION_STATUS_OPEN: "open",
    SessionStatus.SESSION_STATUS_WAITING: "waiting",
    SessionStatus.SESSION_STATUS_ASSIGNED: "assigned",
    SessionStatus.SESSION_STATUS_CLOSED: "closed",
}
_KINDS = tuple(field.name for field in ClientFrame.DESCRIPTOR.oneofs_by_name["frame"].fields)
_HUMAN = {"visitor": "visitor", "agent": "human", "system": "system"}


def rfc3339(stamp: Timestamp) -> str:
    """As JSON has times, to the millisecond."""
    whole = datetime.fromtimestamp(stamp.seconds, UTC).isoformat(timespec="seconds")[:-6]
    return f"{whole}.{stamp.nanos // 1_000_000:03d}Z"


def to_json(frame: Frame) -> bytes:
    """The proto3 JSON mapping; defaults may be present."""
    return orjson.dumps(frame)


def to_protobuf(frame: Frame) -> bytes:
    """The same frame as protobuf."""
    try:
        return ServerFrame(**frame).SerializeToString()  # ten times cheaper, for frames without a time in them
    except (TypeError, ValueError):
        return json_format.ParseDict(frame, ServerFrame()).SerializeToString()


def read_json(data: str | bytes) -> ClientFrame:
    """One client frame. Unknown fields are ignored; anything else that does not fit raises Invalid."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"this is not JSON: {str(error)[:120]}") from None
    return read_value(value)


def read_value(value: Any) -> ClientFrame:
    """One client frame of values that were parsed already. Raises Invalid."""
    if isinstance(value, dict) and (frame := _read_quickly(value)) is not None:
        return frame
    if not isinstance(value, dict) or not all(isinstance(value.get(kind), dict | None) for kind in _KINDS):
        raise Invalid('this is not a frame of parley.v1.json, which looks like {"ping": {"n": 1}}')
    try:
        return json_format.ParseDict(value, ClientFrame(), ignore_unknown_fields=True)
    except (json_format.ParseError, TypeError, AttributeError, ValueError) as error:
        raise Invalid(f"this is not a frame of parley.v1.json: {str(error)[:120]}") from None


def _read_quickly(value: dict[str, Any]) -> ClientFrame | None:
    """A plain frame by the constructor, ten times cheaper than the general reader; None for all that is not plain."""
    try:
        send = value.get("send")
        if len(value) != 1 or (send and not isinstance(send.get("media_ids", []), list)):
            return None  # two frames in one, or a text for a list: the constructor would take both
        return ClientFrame(**value)
    except (TypeError, ValueError, AttributeError):
        return None


def read_protobuf(data: bytes) -> ClientFrame:
    """One client frame. Raises Invalid."""
    try:
        return ClientFrame.FromString(data)
    except DecodeError:
        raise Invalid("this is not a frame of parley.v1.pb") from None


def event_frame(stream: str, epoch: int, event: StreamEvent) -> Frame:
    """A durable event with its position."""
    return {"event": event_value(stream, epoch, event)}


def event_value(stream: str, epoch: int, event: StreamEvent) -> Frame:
    """The value inside an event frame, as REST history gives it too."""
    value: Frame = {"stream": stream, "epoch": epoch, "seq": event.seq, "at": rfc3339(event.at)}
    kind = event.WhichOneof("body")
    if kind == "message":
        value["message"] = message_value(event.message)
    elif kind == "message_end":
        value["message_end"] = message_value(event.message_end)
    elif kind == "session":
        session = event.session
        value["session"] = {"status": STATUS_WORDS.get(session.status, "open"), "reason": session.reason}
        if session.HasField("agent"):
            value["session"]["agent"] = sender_value(session.agent)
    return value


def message_value(message: Message) -> Frame:
    """A message as clients see it. Ids of agents and visitors stay inside."""
    sender = sender_value(message.sender)
    value: Frame = {
        "message_id": message.message_id,
        "text": message.text,
        "origin": message.origin or _HUMAN.get(sender["kind"], ""),
        "ai_generated": message.ai_generated,
        "sender": sender,
        "trace_id": message.trace_id,
    }
    if message.client_msg_id:
        value["client_msg_id"] = message.client_msg_id
    if message.finish_reason:
        value["finish_reason"] = message.finish_reason
    if message.sources:
        value["sources"] = [source_value(source) for source in message.sources]
    if message.media:
        value["media"] = [media_value(media) for media in message.media]
    if message.notice:
        value["notice"] = message.notice
    if message.confidence:
        value["confidence"] = round(message.confidence, 4)
    return value


def sender_value(sender: Sender) -> dict[str, str]:
    """Who speaks."""
    return {"kind": _SENDERS.get(sender.kind, "system"), "name": sender.name}


def source_value(source: Source) -> Frame:
    """A source card."""
    return {
        "title": source.title,
        "document_id": source.document_id,
        "version": source.version,
        "passage": source.passage,
        "place": source.place,
        "uri": source.uri,
    }


def media_value(media: MediaRef) -> Frame:
    """A picture, with its size so that nothing shifts when it arrives."""
    return {
        "media_id": media.media_id,
        "mime_type": media.mime_type,
        "width": media.width,
        "height": media.height,
        "size": media.size,
        "url": media.url,
        "name": media.name,
    }


def error_frame(code: str, message: str, *, retry_after_ms: int = 0, client_msg_id: str = "") -> Frame:
    """What went wrong and what to do."""
    value: Frame = {"code": code, "message": message}
    if retry_after_ms:
        value["retry_after_ms"] = retry_after_ms
    if client_msg_id:
        value["client_msg_id"] = client_msg_id
    return {"error": value}
