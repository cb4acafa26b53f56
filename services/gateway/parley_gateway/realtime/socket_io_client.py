"""One client of one Socket.IO namespace."""

import asyncio
from contextlib import ExitStack, suppress
from typing import Any, Protocol

from socketio.packet import EVENT, Packet

from parley.contracts.v1 import ClientFrame
from parley_gateway.desk import Desk
from parley_gateway.realtime import closing
from parley_gateway.realtime.connection import Connection
from parley_gateway.realtime.crowd import CLOSE_SECONDS, Crowd
from parley_gateway.realtime.frames import Frame

NAMESPACES = ("/", "/visitor")
AHEAD = 16  # packets that Engine.IO may hold for one socket
ANSWER_SECONDS = 30.0  # that a callback is waited for


class Server(Protocol):
    """What a client needs of the application."""

    server: Any

    def drop(self, session: str) -> None:
        """End an Engine.IO socket without waiting for its reader."""
        ...


class Client:
    """Says and hears the frames of one connection."""

    def __init__(self, desk: Desk, home: Server, namespace: str, sid: str, session: str) -> None:
        self.session = session
        self._desk = desk
        self._home = home
        self._namespace = namespace
        self._sid = sid
        self._stack = ExitStack()
        self._open = False
        self._closing = 0
        self._writing: asyncio.Task[None] | None = None
        self._answers: dict[str, list[asyncio.Future[Frame]]] = {}
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.connection = Connection(desk, self._encode, self._wake, self.close)

    def begin(self, crowd: Crowd) -> None:
        """It was greeted; what waits is written once its CONNECT packet is out, which the server sends next."""
        self._stack.enter_context(crowd.holds(self, "socketio"))
        asyncio.get_running_loop().call_soon(self._opened)

    def leave(self) -> None:
        """It is gone."""
        self._open = False
        self.connection.leave()
        for waiting in self._answers.values():
            for answer in waiting:
                answer.cancel()
        self._stack.close()

    async def said(self, frame: ClientFrame) -> Frame | None:
        """Take a frame; for a message the `ack` or `error` that answers it, once it is there."""
        if not frame.HasField("send"):
            self.connection.receive(frame)
            return None
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        waiting = self._answers.setdefault(frame.send.client_msg_id, [])
        waiting.append(answer)
        self.connection.receive(frame)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except (TimeoutError, asyncio.CancelledError):
            return None
        finally:
            waiting.remove(answer)
            if not waiting:
                self._answers.pop(frame.send.client_msg_id, None)

    def close(self, code: int, reason: str) -> None:
        """Write what waits and why it ends, then end it; a client that does not read is dropped."""
        if self._closing:
            return
        if code == closing.SLOW:
            self.connection.view.outgoing.clear()
        if code != closing.DRAIN:  # which has said goodbye already
            self.connection.view.bye(code, reason)
        self._closing = code
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._give_up)
        self._wake()

    def _give_up(self) -> None:
        if not self.ended.done():
            self._home.drop(self.session)

    # ---- writing ----------------------------------------------------------------------------------------

    def _encode(self, frame: Frame) -> bytes:
        (kind, value), *_ = frame.items()
        if kind in ("ack", "error") and self._answers:
            for answer in self._answers.get(value.get("client_msg_id", ""), ()):
                if not answer.done():
                    answer.set_result(frame)
        packet = Packet(EVENT, data=[kind, value], namespace=self._namespace, binary=False)
        return str(packet.encode()).encode()

    def _opened(self) -> None:
        self._open = True
        self._wake()

    def _wake(self) -> None:
        if self._writing is None and self._open:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            await self.connection.view.outgoing.flush(self._hand_over)
            if self._closing:
                await self._end()
        except Exception:  # noqa: BLE001 - whatever Engine.IO raises here, the peer is gone; it says so by itself
            self._desk.log.debug("socketio.gone")
            self.connection.view.outgoing.clear()
        finally:
            self._writing = None

    async def _hand_over(self, frame: bytes) -> None:
        engine = self._home.server.eio
        socket = engine.sockets[self.session]
        self.connection.silent_since = self._desk.ctx.clock.monotonic()  # Engine.IO has its own ping
        await engine.send(self.session, frame.decode())
        if socket.queue.qsize() >= AHEAD:
            await socket.queue.join()

    async def _end(self) -> None:
        """40xx: a disconnect, after which stock clients stay away. 41xx: the transport's end, and they come back."""
        server = self._home.server
        if self._closing < closing.DRAIN:
            await server.disconnect(self._sid, self._namespace)
            return
        socket = server.eio.sockets[self.session]
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await socket.queue.join()
        if socket.upgraded:
            await socket.queue.put(None)  # ends Engine.IO's writer, which closes the WebSocket
        else:
            await socket.close(wait=False)
