"""Long polling and server-sent events mean what the WebSocket means."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from parley.core import new_id
from tests.flow.house import House
from tests.flow.people import EN, ZH, a_visitor, answered, ids, nothing_more, position, seqs


class Poller:
    """A visitor who polls."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.token = self.session = self.cursor = ""
        self.frames: list[dict[str, Any]] = []

    async def hello(self, **hello: Any) -> dict[str, Any]:
        answer = await self.http.post("/v1/rt/hello", json={"hello": hello or {"site_key": "demo", "name": "李雷"}})
        assert answer.status_code == 200, answer.text
        welcome = self._keep(answer)[0]["welcome"]
        self.token, self.session = welcome.get("token") or hello["token"], welcome["session_id"]
        return dict(welcome)

    async def poll(self, seconds: float = 5) -> list[dict[str, Any]]:
        params: dict[str, Any] = {"cursor": self.cursor, "timeout": seconds}
        answer = await self.http.get("/v1/rt/poll", params=params, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return self._keep(answer)

    async def post(self, frame: dict[str, Any], **options: Any) -> httpx.Response:
        return await self.http.post("/v1/rt/send", json=frame, headers={**self.headers, **options})

    async def say(self, text: str, client_msg_id: str) -> dict[str, Any]:
        answer = await self.post({"send": {"client_msg_id": client_msg_id, "text": text}})
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json()["data"]["ack"])

    async def until(self, kind: str, seconds: float = 10) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while True:
                for frame in await self.poll():
                    value = frame.get("event", {}).get(kind) or frame.get(kind)
                    if value is not None:
                        return dict(value)

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    @property
    def seqs(self) -> list[int]:
        return [frame["event"]["seq"] for frame in self.frames if "event" in frame]

    def _keep(self, answer: httpx.Response) -> list[dict[str, Any]]:
        data = answer.json()["data"]
        self.cursor = data["cursor"]
        self.frames += data["frames"]
        return list(data["frames"])


@asynccontextmanager
async def a_poller(desk: House, **hello: Any) -> AsyncIterator[Poller]:
    async with httpx.AsyncClient(base_url=desk.url, timeout=30) as http:
        poller = Poller(http)
        await poller.hello(**hello)
        yield poller


# ---- long polling ------------------------------------------------------------------------------------------


async def test_a_conversation_by_polling(desk: House) -> None:
    async with a_poller(desk) as visitor:
        ack = await visitor.say(ZH, "c-1")
        assert (ack["seq"], ack["duplicate"]) == (1, False)
        end = await visitor.until("message_end")
        assert end["sources"]
        assert visitor.seqs == [1, 2]
        again = await visitor.say(ZH, "c-1")
        assert (again["seq"], again["message_id"], again["duplicate"]) == (1, ack["message_id"], True)
        assert await visitor.poll(0.2) == []


async def test_polling_resumes_all_or_nothing(desk: House) -> None:
    async with a_poller(desk) as visitor:
        await visitor.say(ZH, "c-1")
        await visitor.until("message_end")
        for after, epoch, recovered, told in (
            (0, 0, True, [1, 2]),
            (1, 1, True, [2]),
            (7, 1, False, []),
            (1, 9, False, []),
        ):
            async with a_poller(desk, token=visitor.token, streams=position(visitor.session, after, epoch)) as back:
                stream = back.frames[0]["welcome"]["streams"][0]
                assert (stream.get("recovered", False), stream["head_seq"]) == (recovered, 2)
                await back.poll(0)
                assert back.seqs == told


async def test_a_message_of_another_tab_ends_the_wait(desk: House) -> None:
    async with a_visitor(desk) as tab:
        session, mine = ids(tab)
        async with a_poller(desk, token=mine) as visitor:
            waiting = asyncio.create_task(visitor.until("message"))
            await answered(tab, EN)
            assert (await waiting)["text"] == EN
        async with a_poller(desk, token=mine, streams=position(session, 0)) as late:
            await late.poll(0)
            assert late.seqs == [1, 2]


async def test_a_poll_says_what_is_wrong(desk: House) -> None:
    async with a_poller(desk) as visitor, a_poller(desk) as other:
        cases: tuple[tuple[dict[str, Any], int], ...] = (
            ({"cursor": "nonsense"}, 400),
            ({"cursor": other.cursor}, 400),
            ({"cursor": visitor.cursor[:-2]}, 400),
            ({"cursor": visitor.cursor, "timeout": 99}, 400),
            ({}, 400),
        )
        for params, status in cases:
            answer = await visitor.http.get("/v1/rt/poll", params=params, headers=visitor.headers)
            assert (answer.status_code, answer.json()["code"]) == (status, status), params
        answer = await visitor.http.get("/v1/rt/poll", params={"cursor": visitor.cursor})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"hello": {}}', 400),
        (b'{"ping": {"n": 1}}', 400),
        (b'{"send": {"text": "hi"}}', 400),
        (b'{"send": {"client_msg_id": "c", "text": " "}}', 400),
        (b'{"send": {"client_msg_id": "c", "text": "hi", "stream": "ses_other"}}', 401),
        (b'{"send": {"client_msg_id": "c", "text": "hi", "media_ids": ["no"]}}', 400),
        (b'{"send": {"client_msg_id": "c", "text": "' + b"x" * 9_000 + b'"}}', 400),
        (b'{"send": {"client_msg_id": "c", "text": "' + b"x" * 600_000 + b'"}}', 413),
        (b'{"typing": {}}', 200),
        (b'{"read": {"seq": 1}}', 200),
        (b'{"stop": {}}', 200),
    ],
    ids=range(13),
)
async def test_what_is_posted_is_taken_or_refused_with_its_reason(desk: House, body: bytes, status: int) -> None:
    async with a_poller(desk) as visitor:
        headers = {**visitor.headers, "content-type": "application/json"}
        answer = await visitor.http.post("/v1/rt/send", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, status)
        assert (await visitor.http.post("/v1/rt/send", content=body)).status_code in (401, 413)


async def test_an_idempotency_key_names_a_message_that_names_itself_not(desk: House) -> None:
    async with a_poller(desk) as visitor:
        for duplicate in (False, True):
            answer = await visitor.post({"send": {"text": ZH}}, **{"idempotency-key": "k-1"})
            ack = answer.json()["data"]["ack"]
            assert (ack["client_msg_id"], ack["duplicate"]) == ("k-1", duplicate)
            assert answer.status_code == (200 if duplicate else 201)


@pytest.mark.parametrize("hello", [{}, {"token": "no"}, {"site_key": "no"}])
async def test_a_hello_that_is_none_is_401(desk: House, hello: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=desk.url) as http:
        assert (await http.post("/v1/rt/hello", json={"hello": hello})).status_code == 401


async def test_twenty_polls_that_are_cut_leave_room_for_the_next(desk: House) -> None:
    async with a_poller(desk) as visitor:
        for _ in range(30):
            params: dict[str, Any] = {"cursor": visitor.cursor, "timeout": 20}
            with pytest.raises(httpx.ReadTimeout):
                await visitor.http.get("/v1/rt/poll", params=params, headers=visitor.headers, timeout=0.05)
        await visitor.say(ZH, "c-1")
        await visitor.until("message_end")
        assert visitor.seqs == [1, 2]


# ---- server-sent events ------------------------------------------------------------------------------------


class Listener:
    """Reads a stream as EventSource does."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self.lines = lines
        self.frames: list[dict[str, Any]] = []
        self.last_id = ""

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            async for line in self.lines:
                if line.startswith("id: "):
                    self.last_id = line[4:]
                if line.startswith("data: "):
                    self.frames.append(json.loads(line[6:]))
                    return self.frames[-1]
        raise AssertionError("the stream has ended")

    async def until(self, kind: str) -> dict[str, Any]:
        while True:
            frame = await self.next()
            value = frame.get("event", {}).get(kind) or frame.get(kind)
            if value is not None:
                return dict(value)

    @property
    def seqs(self) -> list[int]:
        return [frame["event"]["seq"] for frame in self.frames if "event" in frame]


@asynccontextmanager
async def a_listener(visitor: Poller, **headers: str) -> AsyncIterator[Listener]:
    given = {**visitor.headers, **headers}
    async with visitor.http.stream("GET", "/v1/rt/stream", headers=given) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Listener(answer.aiter_lines())


async def test_a_conversation_by_events_and_posts(desk: House) -> None:
    async with a_poller(desk) as visitor:
        async with a_listener(visitor) as stream:
            assert (await stream.until("welcome"))["session_id"] == visitor.session
            await visitor.say(ZH, "c-1")
            assert (await stream.until("message"))["client_msg_id"] == "c-1"
            end = await stream.until("message_end")
            assert any("message_chunk" in frame for frame in stream.frames)
            assert (stream.seqs, stream.last_id) == ([1, 2], "1:2")
        await visitor.say(EN, "c-2")
        async with a_listener(visitor, **{"last-event-id": "1:2"}) as back:
            assert (await back.until("welcome"))["streams"][0]["recovered"]
            assert (await back.until("message"))["client_msg_id"] == "c-2"
            assert (await back.until("message_end"))["message_id"] != end["message_id"]
            assert back.seqs == [3, 4]


@pytest.mark.parametrize("last", ["1:9", "9:1", "1:4000000000"])
async def test_a_position_that_cannot_be_is_told_to_reload_and_goes_on_from_the_head(desk: House, last: str) -> None:
    async with a_poller(desk) as visitor:
        await visitor.say(ZH, "c-1")
        await visitor.until("message_end")
        async with a_listener(visitor, **{"last-event-id": last}) as stream:
            assert not (await stream.until("welcome"))["streams"][0].get("recovered")
            assert stream.last_id == "1:2"


async def test_a_stream_says_what_is_wrong(desk: House) -> None:
    async with a_poller(desk) as visitor:
        for headers, status in (
            ({}, 401),
            ({"authorization": "Bearer no"}, 401),
            ({**visitor.headers, "last-event-id": "x"}, 400),
            ({**visitor.headers, "last-event-id": "1:99999999999"}, 400),
        ):
            assert (await visitor.http.get("/v1/rt/stream", headers=headers)).status_code == status


async def test_a_cookie_opens_the_stream_of_its_session_only(desk: House) -> None:
    async with httpx.AsyncClient(base_url=desk.url, timeout=20) as http:
        answer = await http.post("/v1/rt/hello", json={"hello": {"site_key": "demo"}, "cookie": True})
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "Path=/v1/rt/stream", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
        session = answer.json()["data"]["frames"][0]["welcome"]["session_id"]
        async with http.stream("GET", "/v1/rt/stream", params={"session": session}) as stream:
            assert stream.status_code == 200
        assert (await http.get("/v1/rt/stream", params={"session": "ses_other"})).status_code == 401
        assert (await http.post("/v1/rt/send", json={"typing": {}})).status_code == 401


async def test_all_transports_of_one_visitor_are_told_the_same(desk: House) -> None:
    async with a_visitor(desk) as socket:
        _, mine = ids(socket)
        async with a_poller(desk, token=mine) as poller, a_listener(poller) as stream:
            await stream.until("welcome")
            await poller.say(ZH, new_id("c"))
            await socket.until("event.message_end")
            await nothing_more(socket)
            await stream.until("message_end")
            await poller.until("message_end")
            assert seqs(socket) == stream.seqs == poller.seqs == [1, 2]
            texts = [[f["event"] for f in who.frames if "event" in f] for who in (socket, stream, poller)]
            assert texts[0] == texts[1] == texts[2]
