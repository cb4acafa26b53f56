"""A TCP proxy that breaks the connections through it: cut, refused, frozen, half open, late or slow.

It stands between a client and a server, one port for one server, and is told what to do while both go on.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

CHUNK_BYTES = 65_536
CHUNKS_HELD = 64  # of one direction of one connection; more than that waits in the sender's socket
CONNECT_SECONDS = 5.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing sends RST instead of FIN


class FaultProxy:
    """Between clients and one server. `up` is what clients say, `down` what the server says."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._pairs: set[_Pair] = set()
        self._refusing = False
        self._server: asyncio.Server | None = None
        self.port = 0
        self.latency = 0.0  # seconds, each way
        self.bytes_per_second = 0.0  # each way of each connection; 0 is as fast as it goes
        self.opened = 0  # connections that were ever made
        self.flowing = {"up": asyncio.Event(), "down": asyncio.Event()}
        self.heal()

    @property
    def address(self) -> str:
        """host:port for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._pairs)

    def through(self, url: str) -> str:
        """The same URL, by way of this proxy."""
        parts = urlsplit(url)
        credentials, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{credentials}{at}{self.address}"))

    def lead_to(self, port: int) -> None:
        """Send whoever comes from now on to another port of the same host, as a load balancer does; others stay."""
        self._target = (self._target[0], port)

    # ---- faults -----------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Reset every connection, both ends at once; what was held is gone. New ones are welcome."""
        for pair in list(self._pairs):
            pair.reset()

    def refuse(self) -> None:
        """Cut, and reset whoever comes, until `heal`."""
        self._refusing = True
        self.cut()

    def freeze(self, *directions: str) -> None:
        """Hold what is said (`up`, `down`, both by default): connections stay open, as when packets are dropped."""
        for direction in directions or ("up", "down"):
            self.flowing[direction].clear()

    def half_open(self) -> None:
        """The server's ends are closed, the clients are never told: what they say goes nowhere."""
        for pair in list(self._pairs):
            pair.lose_server()

    def heal(self) -> None:
        """New connections are welcome and frozen ones go on, at full speed. What was cut stays cut."""
        self._refusing = False
        self.latency = self.bytes_per_second = 0.0
        for direction in self.flowing.values():
            direction.set()

    # ---- life -------------------------------------------------------------------------------------------

    async def open(self, port: int = 0) -> None:
        """Listen. Use `fault_proxy()`, which also closes."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=CHUNK_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        assert self._server is not None
        self._server.close()
        tasks = [pair.task for pair in self._pairs if pair.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = _Pair(self, reader, writer, asyncio.current_task())
        if self._refusing:
            pair.reset()
            return
        self._pairs.add(pair)
        self.opened += 1
        try:
            await pair.carry(*self._target)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # either end went away, or a test had it so
        finally:
            self._pairs.discard(pair)
            pair.reset()


class _Pair:
    """One client's connection and the one to the server that was made for it."""

    def __init__(
        self,
        proxy: FaultProxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        task: "asyncio.Task[None] | None",
    ) -> None:
        self._proxy = proxy
        self._reader = reader
        self._client = writer
        self._server: asyncio.StreamWriter | None = None
        self._server_lost = asyncio.Event()
        self.task = task

    async def carry(self, host: str, port: int) -> None:
        """Until one end closes, or for ever once the server's end was lost in silence. Raises OSError for a reset."""
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, self._server = await asyncio.open_connection(host, port, limit=CHUNK_BYTES)
        ways = [
            asyncio.create_task(self._pump(self._reader, self._server, "up")),
            asyncio.create_task(self._pump(reader, self._client, "down")),
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        if self._server_lost.is_set():
            while await self._reader.read(CHUNK_BYTES):
                pass  # the client still speaks, to nobody
        for way in done:
            way.result()
        self._client.close()  # what was written still arrives
        self._server.close()

    def reset(self) -> None:
        """RST to both ends."""
        for writer in (self._client, self._server):
            _abort(writer)
        if self.task is not None and not self._client.transport.is_closing():
            self.task.cancel()

    def lose_server(self) -> None:
        """Close the server's end only."""
        self._server_lost.set()
        _abort(self._server)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        """One direction: read now, write when it is due and the way is free. Returns when the reader's end closed."""
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS_HELD)
        writing = asyncio.create_task(self._write(held, writer, direction))
        loop = asyncio.get_running_loop()
        try:
            while data := await reader.read(CHUNK_BYTES):
                await held.put((loop.time() + self._proxy.latency, data))
            await held.put((loop.time() + self._proxy.latency, b""))
            await writing
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _write(
        self, held: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter, direction: str
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await held.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._proxy.flowing[direction].wait()
            if not data:
                return
            if self._proxy.bytes_per_second:
                await asyncio.sleep(len(data) / self._proxy.bytes_per_second)
            writer.write(data)
            await writer.drain()


def _abort(writer: asyncio.StreamWriter | None) -> None:
    if writer is None or writer.transport.is_closing():
        return
    raw = writer.transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


@asynccontextmanager
async def fault_proxy(host: str, port: int, *, listen: int = 0) -> AsyncIterator[FaultProxy]:
    """A proxy to host:port until the context is left, on a free port unless `listen` names one."""
    proxy = FaultProxy(host, port)
    await proxy.open(listen)
    try:
        yield proxy
    finally:
        await proxy.close()
