"""Socket.IO at `/socket.io`: python-socketio carries the same frames, each under its name as an event.

What makes it cheap: WebSocket before polling, no compression, orjson, frames encoded once and handed straight to
Engine.IO, its logging off, and Engine.IO's queue, which knows no bound, never given more than `AHEAD` packets.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

import orjson
import socketio
from socketio.exceptions import ConnectionRefusedError as Refusal

from parley.contracts.v1 import Hello
from parley.core import Invalid, ParleyError, new_id
from parley_gateway.desk import Desk
from parley_gateway.door import Knock, knock_of
from parley_gateway.realtime import closing
from parley_gateway.realtime.crowd import Crowd
from parley_gateway.realtime.frames import read_value
from parley_gateway.realtime.socket_io_client import NAMESPACES, Client
from parley_gateway.realtime.websocket import ABORT, refusal_at_door

PATH = "/socket.io/"
PING_TIMEOUT_SECONDS = 20

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
SendAsgi = Callable[[dict[str, Any]], Awaitable[None]]

_scope: ContextVar[Scope | None] = ContextVar("socket_io_scope", default=None)


class _Json:
    """orjson in the shape of the standard library's module."""

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str | bytes, **_: Any) -> Any:
        return orjson.loads(text)


class SocketIo:
    """The ASGI application, and everybody who came in by it."""

    def __init__(self, desk: Desk, crowd: Crowd) -> None:
        self._desk = desk
        self._crowd = crowd
        self._clients: dict[str, Client] = {}
        self._known: dict[str, int] = {}  # Engine.IO sockets, and how many namespaces of each have said hello
        self._dropping: set[asyncio.Task[None]] = set()
        self._aborts: dict[str, Callable[[], None]] = {}  # by Engine.IO socket
        settings = desk.settings
        self.server = socketio.AsyncServer(
            async_mode="asgi",
            namespaces=list(NAMESPACES),
            cors_allowed_origins=lambda *_: True,  # checked at our own door
            cors_credentials=False,
            transports=["websocket", "polling"],
            ping_interval=settings.ping_seconds,
            ping_timeout=PING_TIMEOUT_SECONDS,
            max_http_buffer_size=settings.frame_bytes,
            http_compression=False,
            json=_Json,
            logger=False,
            engineio_logger=False,
        )
        self.server.eio.generate_id = self._new_id
        self._app = socketio.ASGIApp(self.server)
        for namespace in NAMESPACES:
            self.server.on("connect", partial(self._connected, namespace), namespace=namespace)
            self.server.on("disconnect", self._disconnected, namespace=namespace)
            self.server.on("*", self._said, namespace=namespace)

    async def __call__(self, scope: Scope, receive: Receive, send: SendAsgi) -> None:
        """Serve one request or WebSocket of Engine.IO."""
        session = _query(scope, b"sid")
        if not session and (refused := await self._refusal(knock_of(scope, self._desk.settings.trusted_proxies))):
            await _refuse(scope, receive, send, *refused)
            return
        if session and scope["type"] == "websocket" and session in self._known:
            self._aborts[session] = _abort_of(scope)
        _scope.set(None if session else scope)
        with suppress(KeyError):  # Engine.IO asks for a socket that has gone meanwhile
            await self._app(scope, receive, send)

    async def _refusal(self, knock: Knock) -> tuple[int, str] | None:
        strangers = sum(not greeted for greeted in self._known.values()) if len(self._known) > len(self._clients) else 0
        if strangers >= self._desk.settings.max_strangers:
            return 503, "this server is full; try again"
        return await refusal_at_door(self._desk, self._crowd, knock)

    # ---- who comes and goes -----------------------------------------------------------------------------

    def _new_id(self) -> str:
        """Engine.IO names a new socket; whoever says no hello in time is dropped.

        python-socketio names its clients by the same generator: only the first name of a request is a socket's.
        """
        session, scope = new_id("eio"), _scope.get()
        if scope is None:
            return session
        _scope.set(None)
        self._known[session] = 0
        if scope["type"] == "websocket":
            self._aborts[session] = _abort_of(scope)
        asyncio.get_running_loop().call_later(self._desk.settings.hello_seconds, self._expect_hello, session)
        return session

    def _expect_hello(self, session: str) -> None:
        if not self._known.get(session):
            self.drop(session)

    def drop(self, session: str) -> None:
        """End an Engine.IO socket without waiting for its reader."""
        self._known.pop(session, None)
        if abort := self._aborts.pop(session, None):
            abort()
        elif session in self.server.eio.sockets:
            self._desk.ctx.log.debug("socketio.dropped")
            closing_it = asyncio.create_task(self.server.eio.sockets[session].close(wait=False))
            self._dropping.add(closing_it)
            closing_it.add_done_callback(self._dropping.discard)

    async def _connected(self, namespace: str, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        session = self.server.manager.eio_sid_from_sid(sid, namespace)
        knock = knock_of(environ["asgi.scope"], self._desk.settings.trusted_proxies)
        client = Client(self._desk, self, namespace, sid, session)
        try:
            async with asyncio.timeout(self._desk.settings.hello_seconds):
                await client.connection.greet(_hello(auth), knock)
        except TimeoutError:
            client.connection.leave()
            raise Refusal("the desk does not answer; try again", {"code": "unavailable"}) from None
        except ParleyError as error:
            client.connection.leave()
            wait = int(closing.retry_after(error) * 1000)
            told = {"code": closing.error_code(error), "close_code": closing.close_code(error), "retry_after_ms": wait}
            raise Refusal(str(error), told) from None
        self._known[session] = self._known.get(session, 0) + 1
        self._clients[sid] = client
        client.begin(self._crowd)

    def _disconnected(self, sid: str, reason: str = "") -> None:
        client = self._clients.pop(sid, None)
        if client is not None:
            client.leave()
            self._left(client.session)

    def _left(self, session: str) -> None:
        left = self._known.get(session, 1) - 1
        if left > 0:
            self._known[session] = left
        else:
            self._known.pop(session, None)
            self._aborts.pop(session, None)

    # ---- what is said -----------------------------------------------------------------------------------

    async def _said(self, event: str, sid: str, *data: Any) -> Any:
        """One event of a client; what it returns answers the client's callback, if there is one."""
        client = self._clients.get(sid)
        if client is None:
            return None
        try:
            return await client.said(read_value({event: data[0] if data else {}}))
        except Invalid as error:
            client.connection.refuse(error)
            return {"error": {"code": "bad_frame", "message": str(error)}}


@asynccontextmanager
async def open_socket_io(desk: Desk, crowd: Crowd) -> AsyncIterator[SocketIo]:
    """Socket.IO until the context is left."""
    opened = SocketIo(desk, crowd)
    try:
        yield opened
    finally:
        await opened.server.shutdown()


def _hello(auth: Any) -> Hello:
    """What the client gave as `auth`: the inside of a hello frame. Raises Invalid."""
    frame = read_value({"hello": auth if auth is not None else {}})
    return frame.hello


def _query(scope: Scope, name: bytes) -> str:
    for part in scope.get("query_string", b"").split(b"&"):
        key, _, value = part.partition(b"=")
        if key == name:
            return str(value.decode("latin-1"))
    return ""


def _abort_of(scope: Scope) -> Callable[[], None]:
    return scope.get("extensions", {}).get(ABORT) or (lambda: None)


async def _refuse(scope: Scope, receive: Receive, send: SendAsgi, status: int, reason: str) -> None:
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    await receive()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"1")]
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": reason.encode()})
