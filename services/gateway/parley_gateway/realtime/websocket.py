"""The WebSocket transport at `/v1/rt`, as a bare ASGI application: no framework between the socket and a connection."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from parley.contracts.v1 import ClientFrame
from parley.core import Invalid, ParleyError
from parley_gateway.access import is_own
from parley_gateway.asking import Unauthorised
from parley_gateway.desk import Desk
from parley_gateway.door import Knock, knock_of
from parley_gateway.realtime import closing
from parley_gateway.realtime.connection import Connection
from parley_gateway.realtime.crowd import CLOSE_SECONDS, Crowd
from parley_gateway.realtime.frames import read_json, read_protobuf, to_json, to_protobuf
from parley_gateway.realtime.outgoing import Overflow
from parley_gateway.realtime.view import ROOM_SECONDS

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
SendAsgi = Callable[[dict[str, Any]], Awaitable[None]]

JSON, PROTOBUF = "parley.v1.json", "parley.v1.pb"
ABORT = "parley.abort"  # our server's ASGI extension: drop the connection without waiting for its reader
BAD_FRAMES = 20  # a client that sends more broken frames than this is sent away


class WebSockets:
    """Every WebSocket of this gateway."""

    def __init__(self, desk: Desk, crowd: Crowd | None = None) -> None:
        self._desk = desk
        self.crowd = Crowd(desk) if crowd is None else crowd  # an empty one is false

    async def __call__(self, scope: Scope, receive: Receive, send: SendAsgi) -> None:
        """Serve one WebSocket from upgrade to close."""
        await receive()
        knock = knock_of(scope, self._desk.settings.trusted_proxies)
        if refused := await self._refusal(knock):
            await _reject(send, *refused)
            return
        offered = scope.get("subprotocols") or []
        protocol = next((p for p in (PROTOBUF, JSON) if p in offered), None)
        await send({"type": "websocket.accept", "subprotocol": protocol})
        if protocol is None:
            reason = f"speak {JSON} or {PROTOBUF}"
            await send({"type": "websocket.close", "code": closing.PROTOCOL_ERROR, "reason": reason})
            return
        socket = _Socket(self._desk, protocol, send, scope.get("extensions", {}).get(ABORT))
        with self.crowd.holds(socket, "websocket"):
            await socket.serve(receive, knock, self.crowd)

    async def _refusal(self, knock: Knock) -> tuple[int, str] | None:
        return await refusal_at_door(self._desk, self.crowd, knock)


async def refusal_at_door(desk: Desk, crowd: Crowd, knock: Knock) -> tuple[int, str] | None:
    """Why somebody may not even say hello: an HTTP status and its reason; None for who may."""
    if crowd.full:
        return 503, "this server is full or restarts; try again"
    if desk.arrivals.take(knock.address, desk.ctx.clock.monotonic()):
        return 429, "too many connections from this address; wait"
    try:
        known = is_own(knock.origin, knock.host, desk.settings.allowed_origins())
        allowed = known or await desk.access.origin_allowed(knock.origin)
    except ParleyError:
        return 503, "a part of the desk does not answer; try again"
    return None if allowed else (403, "this origin is not allowed")


class _Socket:
    """One WebSocket: reads frames for its connection, writes what waits, closes once."""

    def __init__(self, desk: Desk, protocol: str, send: SendAsgi, abort: Callable[[], None] | None) -> None:
        self._desk = desk
        self._binary = protocol == PROTOBUF
        self._send = send
        self._abort = abort or (lambda: None)
        self._writing: asyncio.Task[None] | None = None
        self._closing: tuple[int, str] | None = None
        self._closed = False
        self._broken = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.connection = Connection(desk, to_protobuf if self._binary else to_json, self._wake, self.close)

    async def serve(self, receive: Receive, knock: Knock, crowd: Crowd) -> None:
        """Until either side closes."""
        try:
            with crowd.stranger():
                welcome = await self._greeting(receive, knock)
            if welcome:
                await self._listen(receive)
            await self._written()
        finally:
            self.connection.leave()

    def close(self, code: int, reason: str) -> None:
        """Write what waits, then close; a client that does not read is dropped in the end."""
        if self._closing is not None:
            return
        self._closing = (code, reason)
        if code == closing.SLOW:
            self.connection.view.outgoing.clear()
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._abort)
        self._wake()

    # ---- reading --------------------------------------------------------------------------------------

    async def _greeting(self, receive: Receive, knock: Knock) -> bool:
        try:
            async with asyncio.timeout(self._desk.settings.hello_seconds):
                frame = self._read(await receive())
            if frame is None:
                return False
            if not frame.HasField("hello"):
                raise Unauthorised("the first frame must be hello")
            await self.connection.greet(frame.hello, knock)
        except TimeoutError:
            self.close(closing.UNAUTHORISED, "hello did not come in time")
        except ParleyError as error:
            self._send_away(error)
        return self._closing is None

    async def _listen(self, receive: Receive) -> None:
        while self._closing is None:
            try:
                await self._room()
                frame = self._read(await receive())
                if frame is None:
                    return
                self.connection.receive(frame)
            except Invalid as error:
                self._broken += 1
                self.connection.refuse(error)
                if self._broken > BAD_FRAMES:
                    self.close(closing.BAD_FRAME, "too many broken frames")

    async def _room(self) -> None:
        """Let the writer run while many answers wait: who writes faster than it reads slows down itself."""
        outgoing = self.connection.view.outgoing
        if outgoing.crowded:
            try:
                await outgoing.eased(ROOM_SECONDS)
            except Overflow:
                self.close(closing.SLOW, "reading too slowly; come back and resume")

    def _read(self, message: dict[str, Any]) -> ClientFrame | None:
        if message["type"] != "websocket.receive":
            return None
        text, data = message.get("text"), message.get("bytes")
        if self._binary:
            if data is None:
                raise Invalid(f"{PROTOBUF} speaks in binary frames")
            return read_protobuf(data)
        return read_json(text if text is not None else data or b"")

    def _send_away(self, error: ParleyError) -> None:
        wait = closing.retry_after(error)
        self.connection.view.refuse(closing.error_code(error), str(error), retry_after=wait)
        code = closing.close_code(error)
        if wait:
            self.connection.view.bye(code, str(error), retry_after=wait)
        self.close(code, _fitting(str(error)))

    # ---- writing --------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._writing is None and not self._closed:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        outgoing = self.connection.view.outgoing
        try:
            await outgoing.flush(self._write_frame)
            if self._closing is not None:
                code, reason = self._closing
                self._closed = True
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except Exception:  # noqa: BLE001 - whatever the server raises here, the peer is gone; `serve` ends by itself
            self._desk.log.debug("socket.gone")
            self._closed = True
            outgoing.clear()
        finally:
            self._writing = None

    async def _write_frame(self, frame: bytes) -> None:
        if self._binary:
            await self._send({"type": "websocket.send", "bytes": frame})
        else:
            await self._send({"type": "websocket.send", "text": frame.decode()})

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=CLOSE_SECONDS * 2)


def _fitting(reason: str) -> str:
    """A close frame's reason has 123 bytes at most, and no half characters."""
    return reason.encode()[:120].decode(errors="ignore")


async def _reject(send: SendAsgi, status: int, reason: str) -> None:
    """Refuse before the upgrade, with a status that says why."""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"1")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": reason.encode()})
