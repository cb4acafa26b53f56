"""A stock python-socketio client is a visitor like any other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import socketio
from socketio.exceptions import ConnectionError as NotConnected

from tests.flow.house import House
from tests.flow.people import EN, ZH, a_visitor, answered, ids, nothing_more, position, seqs

VISITOR = "/visitor"
HELLO_SECONDS = 1.0  # of the desk
POLLING, SOCKET = ["polling"], ["websocket"]


class Sio:
    """Keeps every frame that came, as the other clients do."""

    def __init__(self, **options: Any) -> None:
        self.client = socketio.AsyncClient(reconnection=False, **options)
        self.frames: list[dict[str, Any]] = []
        self.came = asyncio.Event()
        self.ended = asyncio.Event()
        self.refused: list[Any] = []
        self.client.on("*", self._keep, namespace=VISITOR)
        self.client.on("disconnect", self._ended, namespace=VISITOR)
        self.client.on("connect_error", self._refused, namespace=VISITOR)

    async def _keep(self, kind: str, value: Any) -> None:
        self.frames.append({kind: value})
        self.came.set()

    async def _ended(self, *_: Any) -> None:
        self.ended.set()

    async def _refused(self, data: Any) -> None:
        self.refused.append(data)

    async def connect(self, desk: House, auth: dict[str, Any], transports: list[str] | None = None) -> None:
        await self.client.connect(
            desk.url, auth=auth, namespaces=[VISITOR], transports=transports or [*POLLING, *SOCKET], wait_timeout=5
        )

    async def until(self, kind: str, seconds: float = 10) -> dict[str, Any]:
        """The first frame of a kind."""
        async with asyncio.timeout(seconds):
            while True:
                for frame in self.frames:
                    value = frame.get("event", {}).get(kind) or frame.get(kind)
                    if value is not None:
                        return dict(value)
                self.came.clear()
                await self.came.wait()

    async def say(self, text: str, client_msg_id: str) -> dict[str, Any]:
        message = {"client_msg_id": client_msg_id, "text": text}
        return dict(await self.client.call("send", message, namespace=VISITOR, timeout=10))

    @property
    def seqs(self) -> list[int]:
        return [frame["event"]["seq"] for frame in self.frames if "event" in frame]


@asynccontextmanager
async def a_sio(desk: House, transports: list[str] | None = None, **auth: Any) -> AsyncIterator[Sio]:
    sio = Sio()
    await sio.connect(desk, auth or {"site_key": "demo", "name": "韩梅梅"}, transports)
    try:
        await sio.until("welcome")
        yield sio
    finally:  # a stock client waits for its last poll, which python-engineio leaves open until the next ping
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sio.client.disconnect(), 1)


@pytest.mark.parametrize("transports", [POLLING, SOCKET, [*POLLING, *SOCKET]], ids=["polling", "socket", "upgrade"])
async def test_a_conversation_by_socket_io(desk: House, transports: list[str]) -> None:
    async with a_sio(desk, transports) as visitor:
        assert "welcome" in visitor.frames[0]
        ack = (await visitor.say(ZH, "c-1"))["ack"]
        assert (ack["client_msg_id"], ack["seq"], ack["duplicate"]) == ("c-1", 1, False)
        assert (await visitor.until("message_end"))["sources"]
        chunks = [frame["message_chunk"]["index"] for frame in visitor.frames if "message_chunk" in frame]
        assert chunks == list(range(len(chunks)))
        assert visitor.seqs == [2]  # 1 is its own, which the ack told
        again = (await visitor.say(ZH, "c-1"))["ack"]
        assert (again["seq"], again["message_id"], again["duplicate"]) == (1, ack["message_id"], True)


@pytest.mark.parametrize("transports", [POLLING, SOCKET], ids=["polling", "socket"])
async def test_who_has_said_hello_stays(desk: House, transports: list[str]) -> None:
    async with a_sio(desk, transports) as visitor:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(visitor.ended.wait(), 1.5 * HELLO_SECONDS)
        await visitor.client.emit("ping", {"n": 1}, namespace=VISITOR)
        await visitor.until("pong")


async def test_it_resumes_all_or_nothing_and_across_transports(desk: House) -> None:
    async with a_visitor(desk) as tab:
        session, mine = ids(tab)
        await answered(tab, ZH)
    for after, epoch, recovered, told in (
        (1, 1, True, [2]),
        (0, 0, True, [1, 2]),
        (7, 1, False, []),
        (1, 9, False, []),
    ):
        async with a_sio(desk, token=mine, streams=position(session, after, epoch)) as back:
            stream = (await back.until("welcome"))["streams"][0]
            assert (stream["recovered"], stream["head_seq"]) == (recovered, 2)
            await back.client.emit("ping", {"n": 7}, namespace=VISITOR)
            await back.until("pong")
            assert back.seqs == told


async def test_messages_keep_the_order_in_which_they_were_emitted(desk: House) -> None:
    async with a_sio(desk) as visitor, a_visitor(desk, {"token": (await visitor.until("welcome"))["token"]}) as tab:
        for n in range(15):
            await visitor.client.emit("send", {"client_msg_id": f"c-{n}", "text": f"第{n}句"}, namespace=VISITOR)
        while sum("ack" in frame for frame in visitor.frames) < 15:
            visitor.came.clear()
            await asyncio.wait_for(visitor.came.wait(), 10)
        acks = sorted((f["ack"] for f in visitor.frames if "ack" in f), key=lambda ack: int(ack["seq"]))
        assert [ack["client_msg_id"] for ack in acks] == [f"c-{n}" for n in range(15)]
        await tab.until("event.message_end")
        await nothing_more(tab)
        assert seqs(tab) == list(range(1, len(seqs(tab)) + 1))


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        ({}, "unauthorised"),
        ({"token": "no"}, "unauthorised"),
        ({"site_key": "no"}, "unauthorised"),
        ({"token": 7}, "bad_frame"),
        ({"site_key": "demo", "streams": "x"}, "bad_frame"),
    ],
)
async def test_a_hello_that_is_none_is_refused_with_its_reason(desk: House, auth: dict[str, Any], code: str) -> None:
    sio = Sio()
    with pytest.raises(NotConnected):
        await sio.connect(desk, auth, SOCKET)
    assert sio.refused[0]["message"]
    assert sio.refused[0]["data"]["code"] == code
    await sio.client.disconnect()


async def test_what_is_no_frame_is_answered_and_the_conversation_goes_on(desk: House) -> None:
    async with a_sio(desk) as visitor:
        for kind, value in (("nonsense", {}), ("send", "text"), ("send", {"text": 7}), ("typing", []), ("read", {})):
            await visitor.client.emit(kind, value, namespace=VISITOR)
        refused = await visitor.client.call("send", {"client_msg_id": "c-1", "text": " "}, namespace=VISITOR)
        assert refused["error"]["code"] == "empty"
        assert (await visitor.say(EN, "c-2"))["ack"]["seq"] == 1


async def test_who_says_no_hello_is_dropped(desk: House) -> None:
    async with httpx.AsyncClient(base_url=desk.url) as http:
        opened = await http.get("/socket.io/", params={"EIO": "4", "transport": "polling"})
        session = opened.text.partition('"sid":"')[2].partition('"')[0]
        async with asyncio.timeout(5):  # the fixture's hello is one second
            while True:
                params = {"EIO": "4", "transport": "polling", "sid": session}
                if (await http.get("/socket.io/", params=params)).status_code == 400:
                    return


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_strange_requests_to_it_are_refused_and_hurt_nobody(desk: House, transport: str) -> None:
    async with httpx.AsyncClient(base_url=desk.url) as http:
        for params in ({}, {"EIO": "3", "transport": transport}, {"EIO": "4", "transport": transport, "sid": "no"}):
            assert (await http.get("/socket.io/", params=params)).status_code == 400
    async with a_sio(desk) as visitor:
        assert "ack" in await visitor.say(ZH, "c-1")
