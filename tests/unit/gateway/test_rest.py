"""REST over the desk: the envelope, who may ask, what is refused and how."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from parley.contracts.v1 import (
    ApiKey,
    CommandResult,
    MessageReceived,
    OutboxItem,
    Sender,
    SenderKind,
    Session,
    SessionStatus,
    Span,
    TakeoverRequested,
)
from parley.core import BusUnavailable
from parley.telemetry import SpanStore
from parley_gateway.app import build_http
from parley_gateway.realtime.crowd import Crowd
from tests.unit.gateway.a_desk import (
    API_KEY,
    DOWN,
    OTHER,
    SESSION,
    TENANT,
    AtDesk,
    a_delivery,
    a_desk,
    a_token,
    an_event,
    refused,
)

KEY = {"authorization": f"Bearer {API_KEY}"}
VISITOR = {"authorization": f"Bearer {a_token()}"}
MESSAGE = {"channel": "wechat", "external_message_id": "wx-1", "sender": {"external_id": "u-1"}, "text": "我要退款"}


class Door:
    """The HTTP side of a desk."""

    def __init__(self, at: AtDesk, store: SpanStore, http: httpx.AsyncClient) -> None:
        self.at = at
        self.store = store
        self.http = http

    async def ask(self, method: str, path: str, **given: Any) -> tuple[int, Any]:
        """One call; its envelope is checked."""
        answer = await self.http.request(method, path, **given)
        body = answer.json()
        assert set(body) == {"code", "data", "message", "trace_id"}
        assert body["code"] == answer.status_code
        assert answer.headers["x-trace-id"] == body["trace_id"] == answer.headers["traceparent"].split("-")[1]
        assert (body["data"] is None) == (answer.status_code >= 400)
        return answer.status_code, body

    async def committing(self, call: Any, *, duplicate: bool = False, seq: int = 1) -> tuple[int, Any]:
        """A call that writes a message, committed as soon as it is heard."""
        task = asyncio.create_task(call)
        heard = len(self.at.of(MessageReceived))
        await self.at.until(lambda: len(self.at.of(MessageReceived)) > heard or task.done())
        if not task.done():
            message = self.at.of(MessageReceived)[-1]
            delivery = a_delivery(accepted=[self.at.accepted(message.external_message_id, seq, duplicate)])
            delivery.meta.session_id = message.meta.session_id
            self.at.desk.streams.deliver(delivery)
        found: tuple[int, Any] = await task
        return found


@asynccontextmanager
async def a_door(tmp_path: Path, *, demo: bool = False, **settings: Any) -> AsyncIterator[Door]:
    store = SpanStore()
    async with a_desk(tmp_path, **{"accept_seconds": 0.05, **settings}) as at:
        object.__setattr__(at.desk.ctx, "settings", at.desk.ctx.settings.model_copy(update={"demo": demo}))
        transport = httpx.ASGITransport(build_http(at.desk, Crowd(at.desk), store))  # type: ignore[arg-type]  # stricter than ASGI
        async with httpx.AsyncClient(transport=transport, base_url="http://chat.example") as http:
            yield Door(at, store, http)


def a_session(status: Any = SessionStatus.SESSION_STATUS_WAITING, **fields: Any) -> Session:
    return Session(session_id=SESSION, tenant_id=TENANT, status=status, channel="web", **fields)


def held(key_id: str = "k_agent") -> Session:
    agent = Sender(kind=SenderKind.SENDER_KIND_AGENT, id=key_id, name="李娜")
    return a_session(SessionStatus.SESSION_STATUS_ASSIGNED, agent=agent, ownership=2)


# ---- the envelope ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/sessions/", 404),
        ("PUT", "/v1/messages", 405),
        ("GET", "/v1/media", 405),
        ("DELETE", "/v1/sessions/x/takeover", 405),
        ("PATCH", "/v1/visitor-tokens", 405),
    ],
)
async def test_what_is_not_there_is_said_in_the_envelope(tmp_path: Path, method: str, path: str, status: int) -> None:
    async with a_door(tmp_path) as door:
        found, body = await door.ask(method, path)
        assert found == status
        assert "see" in body["message"]


async def test_a_wrong_method_names_the_right_ones(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        assert (await door.http.put("/v1/messages")).headers["allow"] == "POST"


async def test_our_own_fault_shows_no_stack_and_names_its_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_door(tmp_path) as door:
        monkeypatch.setattr(door.at.desk.access, "api_key", _broken)
        status, body = await door.ask("GET", "/v1/sessions", headers=KEY)
        assert status == 500
        assert "secret" not in json.dumps(body)


async def _broken(*_: Any) -> Any:
    raise RuntimeError("secret")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-trace-id": "0af7651916cd43dd8448eb211c80319c"}, "0af7651916cd43dd8448eb211c80319c"),
        ({"x-trace-id": "0AF7651916CD43DD8448EB211C80319C"}, "0af7651916cd43dd8448eb211c80319c"),
        (
            {"traceparent": "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
            "1af7651916cd43dd8448eb211c80319c",
        ),
    ],
)
async def test_a_trace_is_continued_and_given_back(tmp_path: Path, headers: dict[str, str], expected: str) -> None:
    async with a_door(tmp_path) as door:
        assert (await door.ask("GET", "/v1/sessions", headers=headers))[1]["trace_id"] == expected


async def test_a_strange_trace_header_is_ignored(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        for value in ("", "short", "g" * 32, "0" * 31, "x" * 5000, "00-zz-zz-01"):
            _, body = await door.ask("GET", "/v1/sessions", headers={"x-trace-id": value, "traceparent": value})
            assert len(body["trace_id"]) == 32
            assert body["trace_id"] != value


# ---- who may ask -------------------------------------------------------------------------------------------

GUARDED = [
    ("POST", "/v1/messages"),
    ("GET", "/v1/channels/wechat/outbox"),
    ("GET", "/v1/sessions"),
    ("GET", f"/v1/sessions/{SESSION}"),
    ("GET", f"/v1/sessions/{SESSION}/messages"),
    ("POST", f"/v1/sessions/{SESSION}/messages"),
    ("POST", f"/v1/sessions/{SESSION}/takeover"),
    ("POST", f"/v1/sessions/{SESSION}/handback"),
    ("POST", f"/v1/sessions/{SESSION}/close"),
    ("POST", "/v1/media"),
    ("GET", "/v1/traces/0af7651916cd43dd8448eb211c80319c"),
]


def _body(path: str) -> Any:
    return MESSAGE if path == "/v1/messages" else {"text": "你好"} if path.endswith("/messages") else None


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Bearer pk_unknown", "Basic cGs6eA=="])
async def test_without_a_good_credential_nothing_is_answered(tmp_path: Path, header: str) -> None:
    async with a_door(tmp_path) as door:
        for method, path in GUARDED:
            headers = {"authorization": header} if header else {}
            status, _ = await door.ask(method, path, headers=headers, json=_body(path))
            assert status == 401, path
        assert door.at.heard == []


async def test_a_good_key_without_the_scope_is_forbidden_and_told_which(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        door.at.router.keys["pk_none"] = ApiKey(key_id="k", tenant_id=TENANT, scopes=[])
        for method, path in GUARDED:
            status, body = await door.ask(method, path, headers={"authorization": "Bearer pk_none"}, json=_body(path))
            assert (status, "parley keys create --scope" in body["message"]) == (403, True), path


async def test_a_visitor_reads_its_own_session_and_no_other(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        door.at.router.sessions[SESSION] = a_session()
        door.at.router.store("秘密", session=OTHER)
        assert (await door.ask("GET", f"/v1/sessions/{SESSION}", headers=VISITOR))[0] == 200
        for path in (f"/v1/sessions/{OTHER}", f"/v1/sessions/{OTHER}/messages"):
            assert (await door.ask("GET", path, headers=VISITOR))[0] == 404
        assert (await door.ask("GET", "/v1/sessions", headers=VISITOR))[0] == 401


# ---- messages of channels ----------------------------------------------------------------------------------


async def test_a_message_is_201_once_committed_and_200_when_it_is_repeated(tmp_path: Path) -> None:
    async with a_door(tmp_path, accept_seconds=5) as door:
        status, body = await door.committing(door.ask("POST", "/v1/messages", json=MESSAGE, headers=KEY))
        assert (status, body["data"]["duplicate"]) == (201, False)
        assert body["data"]["session_id"] == "ses_wechat_u-1"
        again = door.ask("POST", "/v1/messages", json=MESSAGE, headers=KEY)
        status, repeated = await door.committing(again, duplicate=True)
        assert (status, repeated["data"]["duplicate"]) == (200, True)
        assert repeated["data"]["message_id"] == body["data"]["message_id"]
        assert door.at.router.asked.count("ResolveSession") == 1


async def test_what_the_channel_says_of_itself_travels_with_the_message(tmp_path: Path) -> None:
    async with a_door(tmp_path, accept_seconds=5) as door:
        sender = {"external_id": "u-1", "name": "王小明", "locale": "zh-CN"}
        given = {**MESSAGE, "sender": sender, "sent_at": "2026-11-20T10:00:00+08:00"}
        await door.committing(door.ask("POST", "/v1/messages", json=given, headers=KEY))
        (message,) = door.at.of(MessageReceived)
        assert (message.sender.id, message.sender.name, message.sender.locale) == ("u-1", "王小明", "zh-CN")
        assert message.sent_at.ToJsonString() == "2026-11-20T02:00:00Z"
        assert message.meta.tenant_id == TENANT


async def test_a_commit_that_takes_too_long_is_202_with_the_session(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        status, body = await door.ask("POST", "/v1/messages", json=MESSAGE, headers=KEY)
        assert status == 202
        assert (body["data"]["session_id"], body["data"]["seq"]) == ("ses_wechat_u-1", None)


async def test_a_known_visitor_is_taken_for_while_the_router_is_away(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        await door.ask("POST", "/v1/messages", json=MESSAGE, headers=KEY)
        door.at.router.down = DOWN
        await door.at.clock.advance(60)
        again = {**MESSAGE, "external_message_id": "wx-2"}
        assert (await door.ask("POST", "/v1/messages", json=again, headers=KEY))[0] == 202
        stranger = {**MESSAGE, "sender": {"external_id": "u-2"}}
        answer = await door.http.post("/v1/messages", json=stranger, headers=KEY)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1


async def test_when_neither_commit_nor_broker_can_be_had_the_answer_is_503(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_door(tmp_path) as door:
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(door.at.desk.ctx, "publish_nowait", lambda *_: never)
        answer = await door.http.post("/v1/messages", json=MESSAGE, headers=KEY)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")

        def full(*_: Any) -> Any:
            raise BusUnavailable("too much waits already")

        monkeypatch.setattr(door.at.desk.ctx, "publish_nowait", full)
        assert (await door.ask("POST", "/v1/messages", json=MESSAGE, headers=KEY))[0] == 503


def changed(**fields: Any) -> dict[str, Any]:
    return {**MESSAGE, **fields}


MALFORMED: list[tuple[Any, str]] = [
    ({}, "channel"),
    ([], "body"),
    (changed(channel="We Chat"), "channel"),
    (changed(channel=""), "channel"),
    (changed(external_message_id=""), "external_message_id"),
    (changed(external_message_id="x" * 129), "external_message_id"),
    (changed(external_message_id="a\u0000b"), "own id"),
    (changed(sender={}), "external_id"),
    (changed(sender="u-1"), "sender"),
    (changed(sender={"external_id": {"$ne": ""}}), "external_id"),
    (changed(sender={"external_id": "u", "role": "admin"}), "role"),
    (changed(text=""), "text"),
    (changed(text="   "), "text"),
    (changed(text="x" * 8001), "8000"),
    (changed(text="a\x00b"), "NUL"),
    (changed(text="\ud83d"), "text: Input should be a valid string"),
    (changed(text={"$where": "1"}), "text"),
    (changed(text=7), "text"),
    (changed(tenant_id="other"), "tenant_id"),
    (changed(media_id="unknown"), "media_id"),
    (changed(sent_at="yesterday"), "sent_at"),
    (changed(sent_at="2026-11-20T10:00:00"), "sent_at"),
    (changed(sent_at="0001-01-01T00:00:00+14:00"), "sent_at"),
]


async def test_a_malformed_message_is_400_and_says_where(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        for body, word in MALFORMED:
            await door.at.clock.advance(1)
            content, headers = json.dumps(body).encode(), {**KEY, "content-type": "application/json"}
            status, answer = await door.ask("POST", "/v1/messages", content=content, headers=headers)
            assert (status, word in answer["message"]) == (400, True), (body, answer)
        assert door.at.of(MessageReceived) == []


async def test_a_body_that_is_no_json_is_400(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        headers = {**KEY, "content-type": "application/json"}
        for content in (b"", b"{", b"\xff\xfe", b"[" * 50_000, b'{"channel": NaN}', b"null"):
            assert (await door.ask("POST", "/v1/messages", content=content, headers=headers))[0] == 400


async def test_a_huge_body_is_413(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        assert (await door.ask("POST", "/v1/messages", content=b" " * 600_000, headers=KEY))[0] == 413


async def test_one_visitor_of_a_channel_cannot_flood_and_the_others_go_on(tmp_path: Path) -> None:
    async with a_door(tmp_path, messages_burst=1, messages_per_second=0.5) as door:
        await door.ask("POST", "/v1/messages", json=MESSAGE, headers=KEY)
        answer = await door.http.post("/v1/messages", json=changed(external_message_id="2"), headers=KEY)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
        assert (await door.ask("POST", "/v1/messages", json=changed(sender={"external_id": "u-2"}), headers=KEY))[
            0
        ] == 202


# ---- the outbox --------------------------------------------------------------------------------------------


async def test_replies_are_fetched_with_a_cursor(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        item = OutboxItem(session_id=SESSION, recipient="u-1", event=an_event(2, "七天内", end="msg_2"), cursor="c2")
        door.at.router.outbox = [item]
        status, body = await door.ask("GET", "/v1/channels/wechat/outbox?timeout=0", headers=KEY)
        assert (status, body["data"]["cursor"]) == (200, "c2")
        (found,) = body["data"]["items"]
        assert (found["recipient"], found["event"]["message_end"]["text"]) == ("u-1", "七天内")
        assert "epoch" not in found["event"]


async def test_a_poll_waits_for_news_and_is_answered_empty_when_there_is_none(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        _, body = await door.ask("GET", "/v1/channels/wechat/outbox?timeout=0&cursor=c7", headers=KEY)
        assert body["data"] == {"items": [], "cursor": "c7"}
        waiting = asyncio.create_task(door.ask("GET", "/v1/channels/wechat/outbox?timeout=20", headers=KEY))
        await door.at.until(lambda: door.at.clock.next_wake)
        door.at.router.outbox = [OutboxItem(session_id=SESSION, recipient="u", event=an_event(1), cursor="c8")]
        await door.at.clock.advance(1)
        assert (await waiting)[1]["data"]["cursor"] == "c8"


async def test_a_poll_ends_when_the_server_drains(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        waiting = asyncio.create_task(door.ask("GET", "/v1/channels/wechat/outbox?timeout=25", headers=KEY))
        await door.at.until(lambda: door.at.clock.next_wake)
        door.at.desk.ctx.draining.set()
        await door.at.clock.advance(1)
        assert (await waiting)[0] == 200


async def test_a_wrong_question_is_400(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        for query in ("timeout=26", "timeout=-1", "timeout=x", "limit=0", "limit=101", "cursor=garbage"):
            assert (await door.ask("GET", f"/v1/channels/wechat/outbox?{query}", headers=KEY))[0] == 400, query
        assert (await door.ask("GET", "/v1/channels/We%20Chat/outbox", headers=KEY))[0] == 400


# ---- sessions ----------------------------------------------------------------------------------------------


async def test_history_has_cursors_both_ways(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        door.at.router.store(*"一二三四五")
        path = f"/v1/sessions/{SESSION}/messages"
        _, page = await door.ask("GET", f"{path}?limit=2", headers=VISITOR)
        assert ([e["seq"] for e in page["data"]["events"]], page["data"]["next"]) == ([1, 2], 2)
        _, page = await door.ask("GET", f"{path}?limit=3&after_seq=2", headers=VISITOR)
        assert ([e["seq"] for e in page["data"]["events"]], page["data"]["next"]) == ([3, 4, 5], None)
        assert page["data"]["head_seq"] == 5


async def test_a_wrong_position_in_the_history_is_400(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        for query in ("after_seq=-1", "after_seq=x", "limit=0", "limit=301", "after_seq=99999999999"):
            assert (await door.ask("GET", f"/v1/sessions/{SESSION}/messages?{query}", headers=KEY))[0] == 400, query


async def test_sessions_are_listed_by_status(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        door.at.router.sessions[SESSION] = a_session(waiting_reason="not_sure", last_text="有货吗？")
        status, body = await door.ask("GET", "/v1/sessions?status=waiting", headers=KEY)
        assert status == 200
        (found,) = body["data"]["sessions"]
        assert (found["session_id"], found["status"], found["last_text"]) == (SESSION, "waiting", "有货吗？")
        assert (found["agent"], found["waiting_since"]) == (None, None)
        assert (await door.ask("GET", "/v1/sessions?status=lost", headers=KEY))[0] == 400


async def answered(door: Door, call: Callable[[], Any], code: int, message: str = "") -> tuple[int, Any]:
    """A command, answered by the session's owner."""
    before = len(door.at.of(TakeoverRequested))
    task = asyncio.create_task(call())
    await door.at.until(lambda: len(door.at.of(TakeoverRequested)) > before)
    request_id = door.at.of(TakeoverRequested)[-1].request_id
    door.at.desk.streams.deliver(a_delivery(results=[CommandResult(request_id=request_id, code=code, message=message)]))
    found: tuple[int, Any] = await task
    return found


@pytest.mark.parametrize(("code", "status"), [(200, 200), (404, 404), (409, 409)])
async def test_a_command_is_answered_by_the_sessions_owner(tmp_path: Path, code: int, status: int) -> None:
    async with a_door(tmp_path) as door:
        door.at.router.sessions[SESSION] = held()

        def taking() -> Any:
            return door.ask("POST", f"/v1/sessions/{SESSION}/takeover", json={"name": "小李"}, headers=KEY)

        found, body = await answered(door, taking, code, "张伟 has this session")
        assert found == status
        (request,) = door.at.of(TakeoverRequested)
        assert (request.agent.id, request.agent.name, request.gateway_id) == ("k_agent", "小李", "g1")
        assert status == 200 or body["message"] == "张伟 has this session"


async def test_a_command_with_an_idempotency_key_is_one_request_however_often_it_is_sent(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        door.at.router.sessions[SESSION] = held()
        headers = {**KEY, "idempotency-key": "again-1"}

        def taking() -> Any:
            return door.ask("POST", f"/v1/sessions/{SESSION}/takeover", headers=headers)

        for _ in range(2):
            assert (await answered(door, taking, 200))[0] == 200
        assert {request.request_id for request in door.at.of(TakeoverRequested)} == {"k_agent.again-1"}


async def test_an_agent_writes_only_in_a_session_that_it_holds(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        path, body = f"/v1/sessions/{SESSION}/messages", {"text": "您好，我来处理。", "client_msg_id": "a-1"}
        assert (await door.ask("POST", path, json=body, headers=KEY))[0] == 404
        for session in (a_session(), held("k_somebody")):
            door.at.router.sessions[SESSION] = session
            status, answer = await door.ask("POST", path, json=body, headers=KEY)
            assert (status, "take it over first" in answer["message"]) == (409, True)
        door.at.router.sessions[SESSION] = held()
        assert (await door.committing(door.ask("POST", path, json=body, headers=KEY)))[0] == 201
        (message,) = door.at.of(MessageReceived)
        assert (message.sender.kind, message.sender.name) == (SenderKind.SENDER_KIND_AGENT, "李娜")
        assert (message.ownership, message.external_message_id) == (2, "a-1")
        again = door.ask("POST", path, json=body, headers=KEY)
        assert (await door.committing(again, duplicate=True))[0] == 200


async def test_an_agent_who_lost_the_session_meanwhile_is_told(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        door.at.router.sessions[SESSION] = held()
        call = door.ask("POST", f"/v1/sessions/{SESSION}/messages", json={"text": "在"}, headers=KEY)
        status, body = await door.committing(call, seq=0)
        assert (status, "take it over again" in body["message"]) == (409, True)


async def test_an_idempotency_key_names_an_agents_message(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        door.at.router.sessions[SESSION] = held()
        headers = {**KEY, "idempotency-key": "k-1"}
        path = f"/v1/sessions/{SESSION}/messages"
        await door.committing(door.ask("POST", path, json={"text": "在"}, headers=headers))
        assert door.at.of(MessageReceived)[0].external_message_id == "k-1"
        too_long = {**KEY, "idempotency-key": "k" * 129}
        assert (await door.ask("POST", path, json={"text": "在"}, headers=too_long))[0] == 400


# ---- media -------------------------------------------------------------------------------------------------


async def test_a_picture_is_kept_and_shown(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        files = {"file": ("杯子.png", b"png...", "image/png")}
        status, body = await door.ask("POST", "/v1/media", files=files, headers=VISITOR)
        assert (status, body["data"]["name"]) == (201, "杯子.png")
        assert door.at.router.media["med_1"] == SESSION
        shown = await door.http.get(body["data"]["url"])
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in shown.headers["content-security-policy"]
        assert (await door.ask("GET", "/v1/media/demo/unknown"))[0] == 404
        assert (await door.ask("GET", "/v1/media/other/med_1"))[0] == 404


NO_FILE: list[dict[str, Any]] = [
    {},
    {"json": {"file": "x"}},
    {"data": {"file": "text"}},
    {"files": {"picture": ("a.png", b"png", "image/png")}},
    {"files": {"file": ("", b"png", "image/png")}},
    {"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data"}},
    {"content": b"nothing of it", "headers": {"content-type": "multipart/form-data; boundary=x"}},
    {"files": [("file", ("a.png", b"png", "image/png"))] * 3},
    {"files": [(f"f{n}", (None, b"x")) for n in range(1000)]},
    {"files": [("field", (None, b"x" * 100_000))]},
]


async def test_an_upload_without_its_one_file_is_400(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        for given in NO_FILE:
            await door.at.clock.advance(1)
            headers = {**VISITOR, **given.get("headers", {})}
            assert (await door.ask("POST", "/v1/media", **{**given, "headers": headers}))[0] == 400, str(given)[:80]
        assert "StoreMedia" not in door.at.router.asked


async def test_what_is_no_picture_is_415_and_what_is_too_large_413(tmp_path: Path) -> None:
    async with a_door(tmp_path, upload_bytes=100_000) as door:
        for content, expected in ((b"<svg/>", 415), (b"png" * 34_000, 413), (b"png" * 50_000, 413)):
            files = {"file": ("a.png", content, "image/png")}
            assert (await door.ask("POST", "/v1/media", files=files, headers=VISITOR))[0] == expected


async def test_an_empty_upload_is_400_whoever_finds_it_empty(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        empty = {"file": ("空.png", b"", "image/png")}
        status, body = await door.ask("POST", "/v1/media", files=empty, headers=VISITOR)
        assert (status, body["message"].partition(":")[0]) == (400, "no_file")
        assert "StoreMedia" not in door.at.router.asked
        door.at.router.down = refused(grpc.StatusCode.INVALID_ARGUMENT, "no_file: the file is empty")
        status, body = await door.ask("POST", "/v1/media", files={"file": ("a.png", b"x")}, headers=VISITOR)
        assert (status, body["message"].partition(":")[0]) == (400, "no_file")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "image/webp"),
        ("image/png, IMAGE/WebP;q=0.1", "image/webp"),
        ("image/webp;q=0, image/*", "image/png"),
        ("*/*", "image/png"),
        ("", "image/png"),
        (",".join(["x/y"] * 500), "image/png"),
    ],
)
async def test_a_picture_comes_as_its_viewer_can_show_it(tmp_path: Path, accept: str, kind: str) -> None:
    async with a_door(tmp_path) as door:
        door.at.router.media["med_1"] = SESSION
        answer = await door.http.get(f"/v1/media/{TENANT}/med_1", headers={"accept": accept})
        assert (answer.headers["content-type"], answer.headers["vary"]) == (kind, "Accept")


async def test_an_upload_is_not_looked_at_before_it_is_known_who_sends_it(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        headers = {"authorization": "Bearer bad", "content-type": "multipart/form-data"}  # no boundary: a bad form
        assert (await door.ask("POST", "/v1/media", content=b"x" * 1000, headers=headers))[0] == 401


async def test_uploads_are_limited_by_who_sends_them(tmp_path: Path) -> None:
    async with a_door(tmp_path, messages_burst=2) as door:
        statuses = []
        for _ in range(3):
            files = {"file": ("a.png", b"png", "image/png")}
            statuses.append((await door.ask("POST", "/v1/media", files=files, headers=VISITOR))[0])
        assert statuses == [201, 201, 429]


# ---- visitors and traces -----------------------------------------------------------------------------------


async def test_a_page_gets_a_token_for_its_visitor(tmp_path: Path) -> None:
    async with a_door(tmp_path) as door:
        status, body = await door.ask("POST", "/v1/visitor-tokens", json={"site_key": "demo"})
        assert status == 201
        assert set(body["data"]) == {"token", "session_id", "expires_at"}
        for wrong in ({}, {"site_key": ""}, {"site_key": 7}, {"site_key": "x" * 201}, {"site_key": "no"}):
            assert (await door.ask("POST", "/v1/visitor-tokens", json=wrong))[0] == 400


async def test_tokens_are_limited_by_address_and_forged_headers_change_nothing(tmp_path: Path) -> None:
    async with a_door(tmp_path, newcomers_burst=2) as door:
        statuses = []
        for n in range(3):
            headers = {"x-forwarded-for": f"203.0.113.{n}"}
            found = await door.ask("POST", "/v1/visitor-tokens", json={"site_key": "demo"}, headers=headers)
            statuses.append(found[0])
        assert statuses == [201, 201, 429]


TRACE = "0af7651916cd43dd8448eb211c80319c"


def a_span(span_id: str = "1", *, session: str = SESSION, tenant: str = TENANT) -> Span:
    attributes = {"parley.session_id": session, "parley.tenant_id": tenant}
    return Span(trace_id=TRACE, span_id=span_id, name="decide", service="session-router", attributes=attributes)


async def test_traces_are_for_operators_and_in_the_demo_for_the_visitor_they_belong_to(tmp_path: Path) -> None:
    path = f"/v1/traces/{TRACE}"
    stranger = {"authorization": f"Bearer {a_token(OTHER)}"}
    operator = ApiKey(key_id="k_op", tenant_id=TENANT, scopes=["operate"])
    foreign = ApiKey(key_id="k_foreign", tenant_id="other", scopes=["operate"])
    for demo in (False, True):
        async with a_door(tmp_path, demo=demo) as door:
            door.at.router.keys |= {"pk_op": operator, "pk_foreign": foreign}
            door.store.add([a_span()])
            for header, expected in (
                ({"authorization": "Bearer pk_op"}, 200),
                ({"authorization": "Bearer pk_foreign"}, 404),
                (KEY, 403),
                (VISITOR, 200 if demo else 403),
                (stranger, 404 if demo else 403),
            ):
                assert (await door.ask("GET", path, headers=header))[0] == expected
            assert (await door.ask("GET", f"/v1/traces/{'f' * 32}", headers={"authorization": "Bearer pk_op"}))[
                0
            ] == 404


async def test_whoever_chooses_a_strangers_trace_id_does_not_see_the_strangers_spans(tmp_path: Path) -> None:
    async with a_door(tmp_path, demo=True) as door:
        door.store.add([a_span("1", session=OTHER), a_span("2")])
        assert (await door.ask("GET", f"/v1/traces/{TRACE}", headers=VISITOR))[0] == 404
