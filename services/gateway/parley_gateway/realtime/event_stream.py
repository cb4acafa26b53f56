"""Server-sent events: one long answer whose event ids are positions, so that EventSource resumes by itself."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from parley.contracts.v1 import Hello
from parley.core import ParleyError
from parley_gateway.desk import Desk
from parley_gateway.door import Knock
from parley_gateway.realtime import closing
from parley_gateway.realtime.connection import Connection
from parley_gateway.realtime.crowd import CLOSE_SECONDS, Crowd
from parley_gateway.realtime.frames import Frame

SendAsgi = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

ABORT = "parley.abort"
RETRY_MS = (500, 3_000)  # until EventSource asks again, spread by chance over those who are sent away together
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy that gathers the answer would hold everything back
    (b"x-content-type-options", b"nosniff"),
]


def to_event(frame: Frame) -> bytes:
    """A frame as one event of the stream. What is stored has its position as id, and so has a lost position's head."""
    data = orjson.dumps(frame)
    position = _position(frame)
    return b"id: %b\ndata: %b\n\n" % (position, data) if position else b"data: %b\n\n" % data


def _position(frame: Frame) -> bytes:
    if "event" in frame:
        return b"%d:%d" % (frame["event"]["epoch"], frame["event"]["seq"])
    if "welcome" in frame and not frame["welcome"]["streams"][0]["recovered"]:
        stream = frame["welcome"]["streams"][0]
        return b"%d:%d" % (stream["epoch"], stream["head_seq"])
    return b""


class EventStream:
    """One client that only listens; what it says comes by POST."""

    def __init__(self, desk: Desk, crowd: Crowd, scope: dict[str, Any]) -> None:
        self._desk = desk
        self._crowd = crowd
        self._abort: Callable[[], None] = scope.get("extensions", {}).get(ABORT) or (lambda: None)
        self._woken = asyncio.Event()
        self._closing = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.connection = Connection(desk, to_event, self._woken.set, self.close)

    async def greet(self, hello: Hello, knock: Knock) -> None:
        """Before the answer begins, so that a refusal has a status. Raises what `Connection.greet` does."""
        try:
            with self._crowd.stranger():
                await self.connection.greet(hello, knock)
        except ParleyError:
            self.connection.leave()
            raise

    def close(self, code: int, reason: str) -> None:
        """Write what waits, and why it ends, then end it. A client that does not read is dropped."""
        if self._closing:
            return
        if code == closing.SLOW:
            self.connection.view.outgoing.clear()
        if code != closing.DRAIN:  # which has said goodbye already
            self.connection.view.bye(code, reason)
        self._closing = True
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._abort)
        self._woken.set()

    async def __call__(self, scope: Any, receive: Receive, send: SendAsgi) -> None:
        """Answer, until either side ends it."""
        with self._crowd.holds(self, "sse"):
            gone = asyncio.create_task(_gone(receive))
            writing = asyncio.create_task(self._write(send))
            try:
                either: set[asyncio.Task[None]] = {gone, writing}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                writing.cancel()
                self.connection.leave()
                await asyncio.wait({gone, writing})

    async def _write(self, send: SendAsgi) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        retry = random.randint(*RETRY_MS)  # noqa: S311 - spread, not secrecy
        await send({"type": "http.response.body", "body": b"retry: %d\n\n" % retry, "more_body": True})

        async def write(event: bytes) -> None:
            await send({"type": "http.response.body", "body": event, "more_body": True})
            self.connection.silent_since = self._desk.ctx.clock.monotonic()  # it says nothing, but it reads

        while True:
            self._woken.clear()
            await self.connection.view.outgoing.flush(write)
            if self._closing:
                break
            await self._woken.wait()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
