"""The WebSocket transport, seen from its ASGI server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from parley.contracts.v1 import ClientFrame, Hello, Ping, ServerFrame, StreamDetached
from parley_gateway.realtime import closing
from parley_gateway.realtime import websocket as transport
from parley_gateway.realtime.frames import to_protobuf
from parley_gateway.realtime.websocket import ABORT, BAD_FRAMES, WebSockets
from tests.unit.gateway.a_desk import DOWN, AtDesk, a_delivery, a_desk, a_token

JSON, PROTOBUF = "parley.v1.json", "parley.v1.pb"


class Wire:
    """The server's side of one socket."""

    def __init__(self, *, protocols: tuple[str, ...] = (JSON,), origin: str = "", host: str = "chat.example") -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.stuck: asyncio.Event | None = None
        self.aborted = asyncio.Event()
        headers = [(b"host", host.encode()), *([(b"origin", origin.encode())] if origin else [])]
        self.scope = {
            "type": "websocket",
            "path": "/v1/rt",
            "client": ("127.0.0.1", 1),
            "headers": headers,
            "subprotocols": list(protocols),
            "extensions": {ABORT: self._abort},
        }
        self.incoming.put_nowait({"type": "websocket.connect"})

    def _abort(self) -> None:
        """The connection is gone: whoever waits to write hears of it, and so does the reader."""
        if not self.aborted.is_set():
            self.aborted.set()
            self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def send(self, message: dict[str, Any]) -> None:
        if self.stuck is not None and message["type"] == "websocket.send":
            self.stuck.set()
            await self.aborted.wait()
            raise ConnectionError
        self.sent.append(message)
        if message["type"] == "websocket.close":
            self.incoming.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    def text(self, frame: Any) -> None:
        """The client writes a text frame."""
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self.incoming.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        """The client closes."""
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [json.loads(m["text"]) for m in self.sent if m["type"] == "websocket.send"]

    @property
    def close(self) -> tuple[int, str] | None:
        return next(((m["code"], m["reason"]) for m in self.sent if m["type"] == "websocket.close"), None)


@asynccontextmanager
async def served(at: AtDesk, wire: Wire, sockets: WebSockets | None = None) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(
        (WebSockets(at.desk) if sockets is None else sockets)(wire.scope, wire.incoming.get, wire.send)
    )
    try:
        yield task
    finally:
        wire.leave()
        async with asyncio.timeout(5):
            await task


async def greeted(at: AtDesk, wire: Wire) -> None:
    wire.text({"hello": {"token": a_token()}})
    await at.until(lambda: wire.frames)
    assert "welcome" in wire.frames[0]


async def test_a_conversation_over_json(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        wire = Wire()
        async with served(at, wire):
            await greeted(at, wire)
            wire.text({"send": {"client_msg_id": "c-1", "text": "你好"}})
            await at.heard_message("c-1")
            at.commit("c-1")
            await at.until(lambda: "ack" in wire.frames[-1])
        assert wire.sent[0] == {"type": "websocket.accept", "subprotocol": JSON}
        await at.until(lambda: at.of(StreamDetached))
        assert wire.close is None


async def test_the_same_over_protobuf(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        wire = Wire(protocols=("something", PROTOBUF, JSON))
        async with served(at, wire):
            for frame in (ClientFrame(hello=Hello(token=a_token())), ClientFrame(ping=Ping(n=3))):
                wire.incoming.put_nowait({"type": "websocket.receive", "bytes": frame.SerializeToString()})
            await at.until(lambda: len(wire.sent) == 3)
        assert wire.sent[0]["subprotocol"] == PROTOBUF
        frames = [ServerFrame.FromString(message["bytes"]) for message in wire.sent[1:]]
        assert [frame.WhichOneof("frame") for frame in frames] == ["welcome", "pong"]
        assert frames[1].pong.n == 3


async def test_text_where_protobuf_was_agreed_is_refused(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        wire = Wire(protocols=(PROTOBUF,))
        async with served(at, wire):
            wire.text({"hello": {"token": a_token()}})
            await at.until(lambda: wire.close)
        assert wire.close is not None
        assert wire.close[0] == closing.BAD_FRAME
        assert to_protobuf({"error": {"code": "bad_frame", "message": f"{PROTOBUF} speaks in binary frames"}}) in [
            message.get("bytes") for message in wire.sent
        ]


@pytest.mark.parametrize("protocols", [(), ("parley.v9.json",), ("PARLEY.V1.JSON",)])
async def test_an_unknown_subprotocol_is_closed_and_told_what_to_speak(
    tmp_path: Path, protocols: tuple[str, ...]
) -> None:
    async with a_desk(tmp_path) as at:
        wire = Wire(protocols=protocols)
        async with served(at, wire) as task:
            await task
        assert wire.close == (1002, f"speak {JSON} or {PROTOBUF}")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://shop.example.evil.example"])
async def test_a_wrong_origin_is_refused_before_the_upgrade(tmp_path: Path, origin: str) -> None:
    async with a_desk(tmp_path) as at:
        wire = Wire(origin=origin)
        async with served(at, wire) as task:
            await task
        assert wire.sent[0]["status"] == 403
        assert all(message["type"].startswith("websocket.http.response") for message in wire.sent)


@pytest.mark.parametrize("origin", ["", "https://chat.example", "https://shop.example"])
async def test_a_good_origin_is_let_in(tmp_path: Path, origin: str) -> None:
    async with a_desk(tmp_path) as at:
        wire = Wire(origin=origin)
        async with served(at, wire):
            await greeted(at, wire)


async def test_when_nobody_can_say_whose_origin_it_is_the_client_is_asked_to_come_back(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.down = DOWN
        wire = Wire(origin="https://shop.example")
        async with served(at, wire) as task:
            await task
        assert wire.sent[0]["status"] == 503


async def test_a_full_server_refuses_before_the_upgrade(tmp_path: Path) -> None:
    async with a_desk(tmp_path, max_connections=1) as at:
        sockets, first, second = WebSockets(at.desk), Wire(), Wire()
        async with served(at, first, sockets):
            await greeted(at, first)
            async with served(at, second, sockets) as task:
                await task
            assert second.sent[0]["status"] == 503
        third = Wire()
        async with served(at, third, sockets):
            await greeted(at, third)


async def test_a_late_hello_is_closed(tmp_path: Path) -> None:
    async with a_desk(tmp_path, hello_seconds=0.01) as at:
        wire = Wire()
        async with served(at, wire) as task:
            await task
        assert wire.close == (closing.UNAUTHORISED, "hello did not come in time")


@pytest.mark.parametrize(
    ("frame", "code", "word"),
    [
        ({"ping": {"n": 1}}, closing.UNAUTHORISED, "unauthorised"),
        ({"hello": {}}, closing.UNAUTHORISED, "unauthorised"),
        ({"hello": {"token": "forged"}}, closing.UNAUTHORISED, "unauthorised"),
        ({"hello": {"site_key": "unknown"}}, closing.UNAUTHORISED, "unauthorised"),
        ("rubbish", closing.BAD_FRAME, "bad_frame"),
        ({"hello": "me"}, closing.BAD_FRAME, "bad_frame"),
    ],
)
async def test_a_hello_that_is_none_is_answered_and_closed(tmp_path: Path, frame: Any, code: int, word: str) -> None:
    async with a_desk(tmp_path) as at:
        wire = Wire()
        async with served(at, wire) as task:
            wire.text(frame)
            await task
        assert wire.frames[0]["error"]["code"] == word
        assert wire.close is not None
        assert wire.close[0] == code
        assert len(wire.close[1].encode()) <= 123


async def test_a_hello_that_may_work_later_says_when(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.down = DOWN
        wire = Wire()
        async with served(at, wire) as task:
            wire.text({"hello": {"token": a_token()}})
            await task
        assert [next(iter(frame)) for frame in wire.frames] == ["error", "bye"]
        assert wire.frames[1]["bye"]["retry_after_ms"] > 0
        assert wire.close is not None
        assert wire.close[0] == closing.LOST


async def test_broken_frames_are_answered_and_too_many_of_them_closed(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        wire = Wire()
        async with served(at, wire) as task:
            await greeted(at, wire)
            wire.text("{")
            wire.text({"ping": {"n": 1}})
            await at.until(lambda: len(wire.frames) == 3)
            assert [next(iter(frame)) for frame in wire.frames[1:]] == ["error", "pong"]
            for _ in range(BAD_FRAMES):
                wire.text("[]")
            await task
        assert wire.close == (closing.BAD_FRAME, "too many broken frames")


async def test_a_drain_sends_everybody_away_to_come_back(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        sockets, wires = WebSockets(at.desk), [Wire() for _ in range(3)]
        async with served(at, wires[0], sockets), served(at, wires[1], sockets), served(at, wires[2], sockets):
            for wire in wires:
                await greeted(at, wire)
            await sockets.crowd.drain(0)
        for wire in wires:
            assert wire.frames[-1]["bye"]["code"] == closing.DRAIN
            assert wire.close is not None
            assert wire.close[0] == closing.DRAIN
        assert len(sockets.crowd) == 0


async def test_a_draining_server_lets_nobody_in(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.desk.ctx.draining.set()
        wire = Wire()
        async with served(at, wire) as task:
            await task
        assert wire.sent[0]["status"] == 503


async def test_a_reader_that_has_stopped_is_dropped_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "CLOSE_SECONDS", 0.05)
    async with a_desk(tmp_path, queue_frames=8) as at:
        sockets, stuck, good = WebSockets(at.desk), Wire(), Wire()
        async with served(at, good, sockets), served(at, stuck, sockets) as task:
            await greeted(at, stuck)
            await greeted(at, good)
            stuck.stuck = asyncio.Event()
            for _ in range(20):
                at.desk.streams.deliver(a_delivery(*at.router.store("字" * 100)))
                await asyncio.sleep(0)
            async with asyncio.timeout(5):
                await task
            assert stuck.aborted.is_set()
            await at.until(lambda: len([f for f in good.frames if "event" in f]) == 20)
        assert good.close is None


async def test_a_socket_that_breaks_while_it_is_written_to_ends_quietly(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        wire = Wire()
        async with served(at, wire) as task:
            await greeted(at, wire)
            wire.stuck = asyncio.Event()
            at.desk.streams.deliver(a_delivery(*at.router.store("一")))
            await wire.stuck.wait()
            wire._abort()
            async with asyncio.timeout(5):
                await task
        assert len(at.desk.streams) == 0


async def test_pings_reach_everybody(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        sockets, wire = WebSockets(at.desk), Wire()
        async with served(at, wire, sockets):
            await greeted(at, wire)
            sockets.crowd.check_all()
            await at.until(lambda: "ping" in wire.frames[-1])


async def test_many_frames_that_come_at_once_do_not_make_a_slow_reader_of_their_writer(tmp_path: Path) -> None:
    """What the server has read at once is there without a pause in which answers could be written."""
    async with a_desk(tmp_path, queue_frames=16, messages_burst=100) as at:
        wire = Wire()
        async with served(at, wire):
            await greeted(at, wire)
            for n in range(200):
                wire.text({"ping": {"n": n}})
            await at.until(lambda: wire.frames[-1].get("pong", {}).get("n") == 199)
        assert wire.close is None
