"""JSON frames are the proto3 JSON mapping of `ServerFrame` and `ClientFrame`; protobuf frames say the same."""

import contextlib
import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from parley.contracts.v1 import (
    ClientFrame,
    MediaRef,
    Message,
    Sender,
    SenderKind,
    ServerFrame,
    SessionChanged,
    SessionStatus,
    Source,
    StreamEvent,
)
from parley.core import Invalid
from parley.testing.builders import a_timestamp, a_visitor, an_agent
from parley_gateway.realtime.frames import (
    error_frame,
    event_frame,
    read_json,
    read_protobuf,
    rfc3339,
    to_json,
    to_protobuf,
)

STREAM = {"id": "ses_王", "epoch": 1, "recovered": True, "head_seq": 43}


def a_message(**fields: Any) -> Message:
    return Message(message_id="msg_1", text="七天内可以退货。", trace_id="0af7651916cd43dd8448eb211c80319c", **fields)


def an_answer() -> Message:
    sources = [Source(title="退货期限", document_id="doc_1", version=3, passage="七天内", place="退货", uri="h/zh.md")]
    engine = Sender(kind=SenderKind.SENDER_KIND_ENGINE, id="engine-7", name="Parley")
    return a_message(
        sender=engine,
        origin="extractive",
        finish_reason="stop",
        sources=sources,
        ai_generated=True,
        notice="not_sure",
        confidence=0.73105,
    )


def a_picture() -> Message:
    media = MediaRef(media_id="med_1", mime_type="image/png", width=4, height=3, size=99, url="/v1/media/demo/med_1")
    return a_message(sender=a_visitor(), media=[media], client_msg_id="c-1")


def a_change() -> SessionChanged:
    assigned = SessionStatus.SESSION_STATUS_ASSIGNED
    return SessionChanged(status=assigned, agent=an_agent(), ownership=2, reason="takeover")


def an_event(**body: Any) -> dict[str, Any]:
    return event_frame("ses_王", 1, StreamEvent(seq=44, at=a_timestamp(1_800_000_000.123), **body))


FRAMES: dict[str, dict[str, Any]] = {
    "welcome": {"welcome": {"session_id": "ses_王", "ping_s": 25, "streams": [STREAM]}},
    "welcome with a token": {
        "welcome": {"session_id": "s", "ping_s": 25, "streams": [], "token": "t", "expires_at": "2026-11-22T08:38:14Z"}
    },
    "ack": {"ack": {"client_msg_id": "c", "message_id": "m", "seq": 44, "duplicate": False, "trace_id": "t"}},
    "message_begin": {"message_begin": {"stream": "s", "message_id": "m", "origin": "llm"}},
    "message_chunk": {"message_chunk": {"stream": "s", "message_id": "m", "index": 0, "delta": "退款"}},
    "snapshot": {"message_chunk": {"stream": "s", "message_id": "m", "index": 7, "delta": "全文", "snapshot": True}},
    "message": an_event(message=a_picture()),
    "an agent's message": an_event(message=a_message(sender=an_agent())),
    "message_end": an_event(message_end=an_answer()),
    "session": an_event(session=a_change()),
    "a session that waits": an_event(session=SessionChanged(status=SessionStatus.SESSION_STATUS_WAITING)),
    "an event without body": an_event(),
    "error": error_frame("rate_limited", "太快了", retry_after_ms=1200, client_msg_id="c"),
    "error without details": error_frame("bad_frame", "no"),
    "ping": {"ping": {"streams": [STREAM]}},
    "pong": {"pong": {"n": 7}},
    "typing": {"typing": {"stream": "s", "sender": {"kind": "agent", "name": "李娜"}}},
    "bye": {"bye": {"code": 4100, "reason": "restart", "retry_after_ms": 0}},
}


def mapping(frame: ServerFrame) -> Any:
    """The official mapping, times made comparable."""
    return json_format.MessageToDict(frame, preserving_proto_field_name=True)


@pytest.mark.parametrize("name", FRAMES)
def test_json_is_the_proto3_mapping_and_protobuf_says_the_same(name: str) -> None:
    text = to_json(FRAMES[name])
    from_json = json_format.Parse(text, ServerFrame())  # strict: an unknown name or a wrong type fails
    from_protobuf = ServerFrame.FromString(to_protobuf(FRAMES[name]))
    assert mapping(from_json) == mapping(from_protobuf)


@pytest.mark.parametrize("name", FRAMES)
def test_nothing_of_a_frame_differs_from_the_official_mapping_but_defaults_and_milliseconds(name: str) -> None:
    ours = json.loads(to_json(FRAMES[name]))
    official = mapping(ServerFrame.FromString(to_protobuf(FRAMES[name])))
    assert _without_defaults(ours) == _without_defaults(official)


def _without_defaults(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_defaults(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in ("", 0, False, [], {}, None)}
    return [_without_defaults(inner) for inner in value] if isinstance(value, list) else value


def test_every_kind_of_server_frame_is_held_to_this() -> None:
    kinds = {field.name for field in ServerFrame.DESCRIPTOR.oneofs_by_name["frame"].fields}
    assert {kind for frame in FRAMES.values() for kind in frame} == kinds


def test_positions_are_plain_numbers_and_times_are_rfc_3339() -> None:
    event = json.loads(to_json(FRAMES["message"]))["event"]
    assert (event["epoch"], event["seq"]) == (1, 44)
    assert event["at"] == "2027-01-15T08:00:00.123Z"


def test_ids_of_agents_visitors_and_engines_stay_inside() -> None:
    text = b"".join(to_json(frame) for frame in FRAMES.values())
    for inner in (b"agent-1", b"visitor-1", b"engine-7"):
        assert inner not in text


@given(st.integers(0, 253_402_300_799_999))
def test_times_are_written_as_protobuf_writes_them(milliseconds: int) -> None:
    stamp = Timestamp()
    stamp.FromMilliseconds(milliseconds)
    again = Timestamp()
    again.FromJsonString(rfc3339(stamp))
    assert again == stamp


KINDS = {field.name for field in ClientFrame.DESCRIPTOR.oneofs_by_name["frame"].fields}
CLIENT_FRAMES: list[dict[str, Any]] = [
    {"hello": {"token": "t", "client": "widget/1.0", "streams": [{"id": "s", "epoch": 1, "after_seq": 41}]}},
    {"hello": {"site_key": "demo", "locale": "zh-CN", "name": "王小明"}},
    {"send": {"client_msg_id": "01J", "text": "我要退款", "media_ids": ["a", "b"], "stream": "s"}},
    {"typing": {}},
    {"read": {"seq": 7}},
    {"stop": {"message_id": "m"}},
    {"ping": {"n": 1}},
    {"pong": {}},
]


@pytest.mark.parametrize("frame", CLIENT_FRAMES, ids=lambda frame: next(iter(frame)))
def test_client_frames_are_read_alike_from_both(frame: dict[str, Any]) -> None:
    expected = json_format.ParseDict(frame, ClientFrame())
    assert read_json(json.dumps(frame)) == expected
    assert read_protobuf(expected.SerializeToString()) == expected


def test_every_kind_of_client_frame_is_held_to_this() -> None:
    assert {kind for frame in CLIENT_FRAMES for kind in frame} == KINDS


def test_unknown_fields_are_ignored() -> None:
    frame = read_json('{"send": {"client_msg_id": "1", "text": "hi", "mood": {"a": [1]}}, "later": true}')
    assert (frame.send.client_msg_id, frame.send.text) == ("1", "hi")
    assert read_json('{"wave": {}}').WhichOneof("frame") is None


def test_numbers_may_be_strings_as_the_mapping_allows() -> None:
    assert read_json('{"read": {"seq": "7"}}').read.seq == 7


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "hello",
        "[]",
        "[[1]]",
        '"send"',
        "7",
        "null",
        "true",
        "{",
        '{"send": []}',
        '{"typing": []}',
        '{"ping": ""}',
        '{"send": "x"}',
        '{"send": {"text": 7}}',
        '{"send": {"text": {"$ne": ""}}}',
        '{"send": {"media_ids": "a"}}',
        '{"send": {"client_msg_id": "a"}, "ping": {"n": 1}}',
        '{"read": {"seq": -1}}',
        '{"read": {"seq": 1.5}}',
        '{"read": {"seq": 4294967296}}',
        '{"read": {"seq": true}}',
        '{"hello": {"streams": [{"id": "s", "after_seq": -5}]}}',
        '{"send": {"client_msg_id": "a", "text": "\\ud800"}}',
        "[" * 5000,
        '{"a":' * 5000,
    ],
)
def test_what_is_no_frame_is_refused_and_says_so(text: str) -> None:
    with pytest.raises(Invalid, match=r"this is not (JSON|a frame)"):
        read_json(text)


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(Invalid):
        read_json(b'{"send": {"text": "\xff\xfe"}}')


_floats = st.floats(allow_nan=False, allow_infinity=False)
_plain = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _floats | st.text(max_size=5)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["hello", "send", "text", "media_ids", "streams", "seq", "read", "n", "ping"]), inner
        )
    ),
    max_leaves=8,
)


@given(_json)
def test_the_quick_reader_agrees_with_the_general_one(value: Any) -> None:
    plain = isinstance(value, dict) and all(isinstance(v, dict | None) for k, v in value.items() if k in KINDS)
    try:
        expected: ClientFrame | None = json_format.ParseDict(value, ClientFrame(), ignore_unknown_fields=True)
    except Exception:  # noqa: BLE001 - whatever the general reader raises
        expected = None
    try:
        found: ClientFrame | None = read_json(json.dumps(value))
    except Invalid:
        found = None
    assert found == (expected if plain else None)


@given(st.binary(max_size=200))
def test_random_bytes_are_a_frame_or_refused(data: bytes) -> None:
    for read in (read_protobuf, read_json):
        with contextlib.suppress(Invalid):
            assert isinstance(read(data), ClientFrame)
