"""The WebSocket transport at `/v1/rt`, as a bare ASGI application: no framework between the socket and a connection."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from parley.contracts.v1 import ClientFrame
from parley.core import Invalid, ParleyError, Unavailable
from parley.telemetry import counter, gauge, names
from parley_gateway.asking import Forbidden, Unauthorised
from parley_gateway.realtime.connection import (
    CLOSE_BAD_FRAME,
    CLOSE_DRAIN,
    CLOSE_FORBIDDEN,
    CLOSE_LOST,
    CLOSE_UNAUTHORISED,
    Connection,
    Desk,
)
from parley_gateway.realtime.frames import read_json, read_protobuf, to_json, to_protobuf

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
SendAsgi = Callable[[dict[str, Any]], Awaitable[None]]

JSON, PROTOBUF = "parley.v1.json", "parley.v1.pb"
PROTOCOL_ERROR, TOO_BIG = 1002, 1009
BAD_FRAMES = 20  # a client that sends more broken frames than this is sent away

_connections = gauge(names.CONNECTIONS, "websocket")


class WebSockets:
    """Every WebSocket of this gateway."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open: set[_Socket] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: SendAsgi) -> None:
        """Serve one WebSocket from upgrade to close."""
        await receive()
        if refused := await self._refusal(scope):
            await _reject(send, *refused)
            return
        offered = scope.get("subprotocols") or []
        protocol = next((p for p in (PROTOBUF, JSON) if p in offered), None)
        await send({"type": "websocket.accept", "subprotocol": protocol})
        if protocol is None:
            await send({"type": "websocket.close", "code": PROTOCOL_ERROR, "reason": f"speak {JSON} or {PROTOBUF}"})
            return
        socket = _Socket(self._desk, protocol, send)
        self._open.add(socket)
        _connections.inc()
        try:
            await socket.serve(receive, _header(scope, b"origin"))
        finally:
            self._open.discard(socket)
            _connections.dec()

    def ping_all(self) -> None:
        """Tell every client where its stream stands; close those that have been silent for three pings."""
        limit = time.monotonic() - 3 * self._desk.settings.ping_seconds
        for socket in list(self._open):
            socket.ping(limit)

    async def drain(self, seconds: float) -> None:
        """Send everybody away to another replica, spread over `seconds` so that they do not all come at once."""
        sockets = list(self._open)
        for socket in sockets:
            socket.close(CLOSE_DRAIN, "this server restarts; come back")
            await asyncio.sleep(seconds / len(sockets))
        if sockets:
            await asyncio.wait([socket.ended for socket in sockets], timeout=2)

    async def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if self._desk.ctx.draining.is_set() or len(self._open) >= self._desk.settings.max_connections:
            return 503, "this server is full or restarts; try again"
        origin, host = _header(scope, b"origin"), _header(scope, b"host")
        try:
            allowed = await self._desk.access.origin_allowed(origin, host, self._desk.settings.allowed_origins())
        except ParleyError:
            return 503, "a part of the desk does not answer; try again"
        return None if allowed else (403, "this origin is not allowed")


class _Socket:
    """One WebSocket: reads frames for its connection, writes what waits, closes once."""

    def __init__(self, desk: Desk, protocol: str, send: SendAsgi) -> None:
        self._desk = desk
        self._binary = protocol == PROTOBUF
        self._send = send
        self._writing: asyncio.Task[None] | None = None
        self._closing: tuple[int, str] | None = None
        self._broken = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        encode = to_protobuf if self._binary else to_json
        self.connection = Connection(desk, encode, self._wake, self.close)

    async def serve(self, receive: Receive, origin: str) -> None:
        """Until either side closes."""
        try:
            if await self._greeting(receive, origin):
                await self._listen(receive)
        finally:
            self.connection.leave()
            if not self.ended.done():
                self.ended.set_result(None)

    def close(self, code: int, reason: str) -> None:
        """Write what waits, then close."""
        if self._closing is None:
            self._closing = (code, reason)
            self._wake()

    def ping(self, silent_since: float) -> None:
        """A ping, or the end of a client that is gone."""
        if self.connection.silent_since < silent_since:
            self.close(CLOSE_LOST, "silent for too long; come back")
        else:
            self.connection.ping()

    async def _greeting(self, receive: Receive, origin: str) -> bool:
        try:
            async with asyncio.timeout(self._desk.settings.hello_seconds):
                frame = self._read(await receive())
            if frame is None:
                return False
            if not frame.HasField("hello"):
                raise Unauthorised("the first frame must be hello")
            await self.connection.greet(frame.hello, origin)
        except TimeoutError:
            self.close(CLOSE_UNAUTHORISED, "hello did not come in time")
        except Unavailable as error:
            self._say("unavailable", str(error), CLOSE_LOST)
        except Forbidden as error:
            self._say("forbidden", str(error), CLOSE_FORBIDDEN)
        except Unauthorised as error:
            self._say("unauthorised", str(error), CLOSE_UNAUTHORISED)
        except ParleyError as error:
            self._say("bad_frame", str(error), CLOSE_BAD_FRAME)
        if self._closing is not None:
            await self._written()
        return self._closing is None

    async def _listen(self, receive: Receive) -> None:
        while True:
            try:
                frame = self._read(await receive())
            except Invalid as error:
                self._broken += 1
                self.connection.refuse("bad_frame", str(error))
                if self._broken > BAD_FRAMES:
                    self.close(CLOSE_BAD_FRAME, "too many broken frames")
                continue
            if frame is None:
                return
            self.connection.receive(frame)

    def _read(self, message: dict[str, Any]) -> ClientFrame | None:
        if message["type"] != "websocket.receive":
            return None
        text, data = message.get("text"), message.get("bytes")
        if self._binary:
            if data is None:
                raise Invalid(f"{PROTOBUF} speaks in binary frames")
            return read_protobuf(data)
        return read_json(text if text is not None else data or b"")

    def _say(self, code: str, message: str, close: int) -> None:
        counter(names.REFUSED, code).inc()
        self.connection.refuse(code, message)
        self.close(close, message[:100])

    def _wake(self) -> None:
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            await self.connection.outgoing.flush(self._write_frame)
            if self._closing is not None:
                code, reason = self._closing
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except Exception:  # noqa: BLE001 - whatever the server raises here, the peer is gone; `serve` ends by itself
            self._desk.log.debug("socket.gone")
        finally:
            self._writing = None
        if len(self.connection.outgoing):
            self._wake()

    async def _write_frame(self, frame: bytes) -> None:
        if self._binary:
            await self._send({"type": "websocket.send", "bytes": frame})
        else:
            await self._send({"type": "websocket.send", "text": frame.decode()})

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=2)


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def _reject(send: SendAsgi, status: int, reason: str) -> None:
    """Refuse before the upgrade, with a status that says why."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"1")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": reason.encode()})
