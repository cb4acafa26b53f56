"""One connection to the broker, made again whenever it is lost.

Plain connections and our own loop rather than the client's restore: what was delivered on a dead channel can then never
be acknowledged on a new one, and nothing is restored half.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPException

from parley.telemetry import Log, counter, names

HEARTBEAT = 10  # seconds; a frozen worker is noticed after about three of them
CONNECT_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
BLOCKED_SECONDS = 1.0  # between two looks at a connection that the broker does not read
CLOSE_SECONDS = 2.0
FAILURES = (AMQPException, OSError, TimeoutError, asyncio.InvalidStateError, RuntimeError)

log = Log("bus")


class client_calls:  # noqa: N801 - used like a function
    """Make an error of the cancellation by which the client ends whoever waits on a channel that is closed."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not asyncio.CancelledError:
            return
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            raise ConnectionError("the channel was closed meanwhile") from None


class Link:
    """A connection with a purpose (`publish` or `consume`): a broker that stops reading one must not stop the other."""

    def __init__(self, url: str, producer: str, purpose: str) -> None:
        self._url = url
        self._name = f"{producer} {purpose}"
        self._producer = producer
        self._connection: AbstractConnection | None = None
        self._ready = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether the broker answers now."""
        return self._ready.is_set()

    async def connection(self) -> AbstractConnection:
        """The open connection; waits for it as long as it takes."""
        while True:
            await self._ready.wait()
            if self._connection is not None and not self._connection.is_closed:
                return self._connection
            self._ready.clear()  # it is lost, and `keep` is about to hear of it

    async def writable(self) -> AbstractConnection:
        """The open connection, once the broker reads it: under a memory or disk alarm it does not."""
        while True:
            connection = await self.connection()
            with contextlib.suppress(*FAILURES), client_calls():
                async with asyncio.timeout(BLOCKED_SECONDS):
                    if connection.transport is not None:
                        await connection.transport.connection.ready()
                        return connection
            await asyncio.sleep(BLOCKED_SECONDS / 10)

    async def keep(self) -> None:
        """Connect, wait until the connection is lost, and begin again, for ever."""
        pause = FIRST_PAUSE
        while True:
            try:
                with client_calls():
                    lost = await self._connect()
                pause = FIRST_PAUSE
                await lost.wait()
                counter(names.BUS_RECONNECTS, self._producer.rpartition("-")[0]).inc()
            except FAILURES as error:
                log.warning("bus.unreachable", connection=self._name, error=f"{type(error).__name__}: {error}")
            self._ready.clear()
            await asyncio.sleep(random.uniform(0.5, 1.0) * pause)  # noqa: S311 - jitter
            pause = min(LONGEST_PAUSE, pause * 2)

    async def close(self) -> None:
        """Close what is open."""
        self._ready.clear()
        if self._connection is not None:
            with contextlib.suppress(*FAILURES), client_calls():
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._connection.close()

    async def _connect(self) -> asyncio.Event:
        lost = asyncio.Event()
        connection = await aio_pika.connect(
            self._url,
            timeout=CONNECT_SECONDS,
            heartbeat=HEARTBEAT,
            client_properties={"connection_name": self._name},
        )
        connection.close_callbacks.add(lambda *_: lost.set())
        if connection.is_closed:  # before anybody could be told
            lost.set()
        self._connection = connection
        self._ready.set()
        return lost


@asynccontextmanager
async def open_link(url: str, producer: str, purpose: str) -> AsyncIterator[Link]:
    """A link that is kept until the context is left."""
    link = Link(url, producer, purpose)
    keeping = asyncio.create_task(link.keep())
    try:
        yield link
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await link.close()
