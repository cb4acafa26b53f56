"""REST over the running house: every answer is an envelope that the OpenAPI document describes."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from parley.core import new_id
from parley_gateway.openapi import document
from tests.flow.house import House
from tests.flow.people import (
    UNKNOWN,
    ZH,
    a_form,
    a_picture,
    a_visitor,
    answered,
    ids,
    make_key,
    revoke_key,
    token,
)

DESCRIBED = json.loads(document())


def fits(method: str, template: str, status: int, body: Any) -> None:
    """The answer is one that the description names for this call."""
    answer = DESCRIBED["paths"][template][method.lower()]["responses"][str(status)]
    if reference := answer.get("$ref"):
        answer = DESCRIBED["components"]["responses"][reference.rpartition("/")[2]]
    schema = {**answer["content"]["application/json"]["schema"], "components": DESCRIBED["components"]}
    Draft202012Validator(schema).validate(body)


def ask(desk: House, method: str, template: str, body: Any = None, **given: Any) -> tuple[int, Any, dict[str, str]]:
    """One call, held to the description; `{name}`s of the template are taken from `given`, `query` is appended."""
    names = {name: given.pop(name) for name in ("session_id", "channel", "trace_id") if name in given}
    path = template.format(**names) + given.pop("query", "")
    status, answer, headers = desk.call(method, path, body, **given)
    fits(method, template, status, answer)
    assert headers["x-trace-id"] == answer["trace_id"]
    return status, answer, headers


@pytest.fixture(scope="module")
def key(desk: House) -> str:
    return desk.operator_key


def a_message(external: str | None = None, *, sender: str = "wxid_wang", text: str = ZH, **fields: Any) -> Any:
    who = {"external_id": sender, "name": "王小明", "locale": "zh-CN"}
    return {
        "channel": "wechat",
        "external_message_id": external or new_id("wx"),
        "sender": who,
        "text": text,
        **fields,
    }


def until(found: Callable[[], Any], tries: int = 200) -> Any:
    """Ask again until there is something; every call of the house takes its time."""
    for _ in range(tries):
        if result := found():
            return result
    raise AssertionError("it did not come")


# ---- channels ------------------------------------------------------------------------------------------------


def test_a_channels_message_is_stored_once_and_answered_in_its_outbox(desk: House, key: str) -> None:
    sender, body = new_id("wxid"), a_message("wx-1-" + new_id("x"))
    body["sender"]["external_id"] = sender
    status, first, _ = ask(desk, "POST", "/v1/messages", body, key=key)
    assert (status, first["data"]["seq"], first["data"]["duplicate"]) == (201, 1, False)
    status, again, _ = ask(desk, "POST", "/v1/messages", body, key=key)
    assert (status, again["data"]["duplicate"]) == (200, True)
    assert {k: again["data"][k] for k in ("message_id", "session_id", "seq")} == {
        k: first["data"][k] for k in ("message_id", "session_id", "seq")
    }
    cursor: str = ""
    mine: list[Any] = []
    while not mine:
        _, page, _ = ask(
            desk,
            "GET",
            "/v1/channels/{channel}/outbox",
            channel="wechat",
            query=f"?timeout=5&limit=1&cursor={cursor}",
            key=key,
        )
        cursor = page["data"]["cursor"]
        mine = [item for item in page["data"]["items"] if item["recipient"] == sender]
    assert "24 小时" in mine[0]["event"]["message_end"]["text"]
    assert mine[0]["session_id"] == first["data"]["session_id"]
    _, after, _ = ask(
        desk, "GET", "/v1/channels/{channel}/outbox", channel="wechat", query=f"?timeout=0&cursor={cursor}", key=key
    )
    assert all(item["recipient"] != sender for item in after["data"]["items"])


async def test_a_long_poll_is_answered_as_soon_as_there_is_a_reply(desk: House, key: str) -> None:
    channel = f"c{new_id('x')[2:12]}"

    def poll() -> tuple[int, Any, dict[str, str]]:
        return ask(desk, "GET", "/v1/channels/{channel}/outbox", channel=channel, query="?timeout=20", key=key)

    polling = asyncio.create_task(asyncio.to_thread(poll))
    await asyncio.to_thread(ask, desk, "POST", "/v1/messages", a_message() | {"channel": channel}, key=key)
    async with asyncio.timeout(10):
        _, page, _ = await polling
    assert [item["recipient"] for item in page["data"]["items"]] == ["wxid_wang"]


def test_an_empty_outbox_answers_with_the_same_cursor(desk: House, key: str) -> None:
    query = "?timeout=0"
    status, page, _ = ask(desk, "GET", "/v1/channels/{channel}/outbox", channel="nobody", query=query, key=key)
    assert (status, page["data"]) == (200, {"items": [], "cursor": ""})


def test_a_cursor_that_is_none_is_400(desk: House, key: str) -> None:
    query = "?timeout=0&cursor=nonsense"
    assert ask(desk, "GET", "/v1/channels/{channel}/outbox", channel="wechat", query=query, key=key)[0] == 400


async def test_repeats_in_parallel_are_one_message(desk: House, key: str) -> None:
    body = a_message(sender=new_id("wxid"))
    calls = (asyncio.to_thread(ask, desk, "POST", "/v1/messages", body, key=key) for _ in range(6))
    answers = await asyncio.gather(*calls)
    assert {answer["data"]["message_id"] for _, answer, _ in answers} == {answers[0][1]["data"]["message_id"]}
    assert sorted({status for status, _, _ in answers}) in ([200, 201], [201])
    session = answers[0][1]["data"]["session_id"]
    _, page, _ = ask(desk, "GET", "/v1/sessions/{session_id}/messages", session_id=session, key=key)
    assert [e["seq"] for e in page["data"]["events"] if "message" in e] == [1]


def test_two_tenants_may_use_the_same_ids(desk: House, key: str) -> None:
    _, other = asyncio.run(make_key(desk, "ingest", "agent", tenant="other"))
    body = a_message(sender=new_id("wxid"))
    _, one, _ = ask(desk, "POST", "/v1/messages", body, key=key)
    status, two, _ = ask(desk, "POST", "/v1/messages", body, key=other)
    assert status == 201
    assert two["data"]["session_id"] != one["data"]["session_id"]


@pytest.mark.parametrize(
    "change",
    [
        {"channel": ""},
        {"channel": "We Chat"},
        {"external_message_id": ""},
        {"external_message_id": "x" * 129},
        {"sender": {}},
        {"sender": {"external_id": {"$ne": ""}}},
        {"text": ""},
        {"text": "长" * 8001},
        {"text": "a\x00b"},
        {"text": ["hi"]},
        {"media_id": "unknown"},
        {"tenant_id": "other"},
        {"sent_at": "gestern"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_malformed_message_is_400_and_has_no_effect(desk: House, key: str, change: dict[str, Any]) -> None:
    status, answer, _ = ask(desk, "POST", "/v1/messages", a_message() | change, key=key)
    assert status == 400
    assert len(answer["message"]) > 10


def test_a_channel_that_goes_too_fast_is_429_with_the_time_to_wait(desk: House, key: str) -> None:
    sender = new_id("wxid")
    for _ in range(90):
        status, _, headers = ask(desk, "POST", "/v1/messages", a_message(sender=sender, text="快"), key=key)
        if status == 429:
            break
    assert (status, headers["retry-after"]) == (429, "1")
    assert ask(desk, "POST", "/v1/messages", a_message(sender=new_id("wxid")), key=key)[0] == 201


def test_a_huge_body_is_413_however_it_is_sent(desk: House, key: str) -> None:
    headers = {"content-type": "application/json"}
    status, answer, _ = ask(desk, "POST", "/v1/messages", key=key, data=b" " * 600_000, headers=headers)
    assert status == 413
    assert "larger than" in answer["message"]


# ---- who may ask ---------------------------------------------------------------------------------------------


def test_without_a_good_key_it_is_401_and_without_the_scope_403(desk: House) -> None:
    nearly = desk.operator_key[:-1] + ("1" if desk.operator_key.endswith("0") else "0")
    for bad in ("", "nonsense", "pk_000000000000_" + "0" * 52, nearly):
        status, _, headers = ask(desk, "POST", "/v1/messages", a_message(), key=bad)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
    _, agent = asyncio.run(make_key(desk, "agent"))
    status, answer, _ = ask(desk, "POST", "/v1/messages", a_message(), key=agent)
    assert status == 403
    assert "--scope ingest" in answer["message"]


def test_a_revoked_key_is_refused_at_once(desk: House) -> None:
    key_id, secret = asyncio.run(make_key(desk, "ingest"))
    assert ask(desk, "POST", "/v1/messages", a_message(), key=secret)[0] == 201
    asyncio.run(revoke_key(desk, key_id))
    until(lambda: ask(desk, "POST", "/v1/messages", a_message(sender=new_id("w")), key=secret)[0] == 401)


async def test_sessions_of_other_tenants_and_visitors_do_not_exist(desk: House) -> None:
    _, other = await make_key(desk, "agent", "operate", tenant="other")
    async with a_visitor(desk) as visitor, a_visitor(desk) as stranger:
        await answered(visitor, ZH)
        session, _ = ids(visitor)
        for credential in (other, ids(stranger)[1]):
            for method, template, body in (
                ("GET", "/v1/sessions/{session_id}", None),
                ("GET", "/v1/sessions/{session_id}/messages", None),
            ):
                status, page, _ = ask(desk, method, template, body, session_id=session, key=credential)
                assert status == 404 or page["data"]["events"] == []
        for template in ("takeover", "handback", "close"):
            path = f"/v1/sessions/{{session_id}}/{template}"
            assert ask(desk, "POST", path, {}, session_id=session, key=other)[0] == 404
        path = "/v1/sessions/{session_id}/messages"
        assert ask(desk, "POST", path, {"text": "hi"}, session_id=session, key=other)[0] == 404
        _, page, _ = ask(desk, "GET", "/v1/sessions", query="?limit=200", key=other)
        assert session not in [found["session_id"] for found in page["data"]["sessions"]]


def test_a_visitor_token_is_no_key(desk: House) -> None:
    mine = token(desk)["token"]
    for method, template, body in (
        ("POST", "/v1/messages", a_message()),
        ("GET", "/v1/sessions", None),
        ("POST", "/v1/sessions/{session_id}/takeover", {}),
    ):
        assert ask(desk, method, template, body, session_id="ses_1", key=mine)[0] == 401


# ---- sessions ------------------------------------------------------------------------------------------------


async def test_sessions_are_listed_and_read_page_by_page(desk: House, key: str) -> None:
    async with a_visitor(desk) as visitor:
        await answered(visitor, UNKNOWN)
        await visitor.until("event.session")
        session, mine = ids(visitor)
    _, one, _ = ask(desk, "GET", "/v1/sessions/{session_id}", session_id=session, key=mine)
    assert (one["data"]["status"], one["data"]["waiting_reason"]) == ("waiting", "not_sure")
    assert one["data"]["waiting_since"].endswith("Z")
    assert one["data"]["why"]
    waiting: list[str] = []
    cursor = ""
    while True:
        query = f"?status=waiting&limit=2&cursor={cursor}"
        _, page, _ = ask(desk, "GET", "/v1/sessions", query=query, key=key)
        waiting += [found["session_id"] for found in page["data"]["sessions"]]
        cursor = page["data"]["next"]
        if not cursor:
            break
    assert session in waiting
    assert len(set(waiting)) == len(waiting)


async def test_history_is_read_forwards_and_backwards(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        for _ in range(3):
            await answered(visitor, ZH)
        session, mine = ids(visitor)
    template, found, after = "/v1/sessions/{session_id}/messages", [], 0
    while after is not None:
        query = f"?limit=2&after_seq={after}"
        _, page, _ = ask(desk, "GET", template, session_id=session, query=query, key=mine)
        found += [event["seq"] for event in page["data"]["events"]]
        after = page["data"]["next"]
    assert found == [1, 2, 3, 4, 5, 6]
    _, page, _ = ask(desk, "GET", template, session_id=session, query="?limit=2&before_seq=5", key=mine)
    assert [event["seq"] for event in page["data"]["events"]] == [3, 4]


@pytest.mark.parametrize(
    "query", ["?after_seq=-1", "?limit=0", "?limit=x", "?before_seq=99999999999", "?cursor=" + "x" * 300]
)
def test_a_wrong_question_is_400(desk: House, key: str, query: str) -> None:
    template = "/v1/sessions" if "cursor" in query else "/v1/sessions/{session_id}/messages"
    assert ask(desk, "GET", template, session_id="ses_1", query=query, key=key)[0] == 400


# ---- pictures ------------------------------------------------------------------------------------------------


def upload(desk: House, content: bytes, credential: str, **form: Any) -> tuple[int, Any]:
    status, answer, _ = ask(desk, "POST", "/v1/media", key=credential, **a_form(content, **form))
    return status, answer["data"]


async def test_a_picture_in_the_chat_is_shown_to_both_sides(desk: House, key: str) -> None:
    async with a_visitor(desk) as visitor, a_visitor(desk, {"token": ids(visitor)[1]}) as tab:
        session, mine = ids(visitor)
        status, picture = await asyncio.to_thread(upload, desk, a_picture(), mine)
        assert (status, picture["width"], picture["height"]) == (201, 40, 30)
        send = {"client_msg_id": "c-1", "text": "这个杯子还有吗？", "media_ids": [picture["media_id"]]}
        await visitor.send({"send": send})
        shown = await tab.until("event.message")
        _, page, _ = ask(desk, "GET", "/v1/sessions/{session_id}/messages", session_id=session, key=key)
        for media in (shown["media"][0], page["data"]["events"][0]["message"]["media"][0]):
            assert media["media_id"] == picture["media_id"]
            status, content = desk.get(media["url"])
            assert (status, content[:8]) == (200, b"\x89PNG\r\n\x1a\n")


async def test_a_picture_of_another_session_is_refused(desk: House) -> None:
    async with a_visitor(desk) as visitor, a_visitor(desk) as thief:
        _, picture = await asyncio.to_thread(upload, desk, a_picture(), ids(visitor)[1])
        await thief.send({"send": {"client_msg_id": "c-1", "media_ids": [picture["media_id"]]}})
        assert (await thief.until("error"))["code"] == "no_picture"


def test_a_channels_picture_comes_with_its_message(desk: House, key: str) -> None:
    _, picture = upload(desk, a_picture(), key)
    body = a_message(sender=new_id("wxid"), text="") | {"media_id": picture["media_id"]}
    status, stored, _ = ask(desk, "POST", "/v1/messages", body, key=key)
    assert status == 201
    session = stored["data"]["session_id"]
    _, page, _ = ask(desk, "GET", "/v1/sessions/{session_id}/messages", session_id=session, key=key)
    assert page["data"]["events"][0]["message"]["media"][0]["media_id"] == picture["media_id"]


@pytest.mark.parametrize(
    ("content", "form", "status"),
    [
        (a_picture(), {"field_name": "picture"}, 400),
        (a_picture(), {"name": ""}, 400),
        (b"", {}, 400),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {"name": "a.svg", "kind": "image/svg+xml"}, 415),
        (b"<html><script>alert(1)</script>", {}, 415),
        (a_picture(), {"name": "a.exe"}, 415),
        (a_picture(), {"kind": "application/pdf"}, 415),
        (a_picture()[:60], {}, 415),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * (5 * 1024 * 1024), {}, 413),
        (b"x" * (6 * 1024 * 1024), {}, 413),
    ],
    ids=["other field", "no name", "empty", "svg", "html", "ending", "type", "broken", "over 5 MB", "over 6 MB"],
)
def test_what_is_no_picture_of_ours_is_refused(desk: House, content: bytes, form: dict[str, str], status: int) -> None:
    found, data = upload(desk, content, token(desk)["token"], **form)
    assert (found, data) == (status, None)


def test_other_methods_on_media_are_405_and_no_file_is_400(desk: House) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        status, answer, headers = desk.call(method, "/v1/media", None if method == "GET" else {})
        assert (status, answer["code"], headers["allow"]) == (405, 405, "POST")
    mine = token(desk)["token"]
    assert ask(desk, "POST", "/v1/media", {}, key=mine)[0] == 400
    assert ask(desk, "POST", "/v1/media", key=mine)[0] == 400


def test_an_upload_without_token_is_refused(desk: House) -> None:
    assert upload(desk, a_picture(), "")[0] == 401
    assert upload(desk, a_picture(), "nonsense")[0] == 401


# ---- everything else -----------------------------------------------------------------------------------------


def test_an_address_that_is_none_is_404_in_the_envelope(desk: House) -> None:
    for path in ("/v1/nothing", "/v1/sessions/", "/v2/messages", "/v1/media/demo/none", "/.env", "/v1/%00"):
        status, answer, _ = desk.call("GET", path)
        assert (status, set(answer)) == (404, {"code", "data", "message", "trace_id"}), path


def test_a_trace_id_is_continued_and_given_back(desk: House, key: str) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    for headers in ({"x-trace-id": trace}, {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}):
        body = a_message(sender=new_id("wxid"))
        _, answer, back = ask(desk, "POST", "/v1/messages", body, key=key, headers=headers)
        assert (answer["trace_id"], answer["data"]["trace_id"]) == (trace, trace)
        assert back["traceparent"].split("-")[1] == trace


def test_the_running_gateway_serves_its_own_description(desk: House) -> None:
    status, answer, _ = desk.call("GET", "/v1/openapi.json")
    assert (status, answer) == (200, DESCRIBED)


def test_wrong_site_keys_and_bodies_are_400(desk: House) -> None:
    bodies: list[Any] = [
        {},
        [],
        {"site_key": ""},
        {"site_key": 7},
        {"site_key": "unknown"},
        {"site_key": "demo", "x": 1},
    ]
    for body in bodies:
        assert ask(desk, "POST", "/v1/visitor-tokens", body)[0] == 400
    assert ask(desk, "POST", "/v1/visitor-tokens", data=b"{", headers={"content-type": "application/json"})[0] == 400


def test_forged_forwarding_headers_change_nothing(desk: House) -> None:
    forged = {"x-forwarded-for": "10.0.0.1", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    assert ask(desk, "POST", "/v1/visitor-tokens", {"site_key": "demo"}, headers=forged)[0] == 201
