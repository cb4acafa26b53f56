"""Reading a queue for as long as it is wanted, on one channel after another."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.exceptions import ChannelLockedResource

from parley.bus.adapters.rabbit.channel_life import ChannelLife
from parley.bus.adapters.rabbit.link import FAILURES, Link, client_calls, log
from parley.bus.adapters.rabbit.topology import arguments_of
from parley.bus.events import Event
from parley.bus.port import OnDeliveries, Subscription
from parley.bus.queues import Kind, Queue
from parley.core import BusUnavailable

WATCH_SECONDS = 5.0
MISSES = 3
OPEN_SECONDS = 5.0  # a broker that comes back may leave a question about a queue unanswered for ever
LOST_SECONDS = 15.0  # without a consumer although we want to read: only a new process can help
LOCKED_SECONDS = 45.0  # our own dead connection holds a private queue until its heartbeats are missed
REOPEN_SECONDS, REOPEN_LONGEST = 0.5, 5.0
CLOSE_SECONDS = 2.0


class RabbitSubscription:
    """See the port."""

    def __init__(self, link: Link, queue: Queue[Event], on_deliveries: OnDeliveries, prefetch: int) -> None:
        self._link = link
        self._queue = queue
        self._take = on_deliveries
        self._prefetch = prefetch
        self._paused = False
        self._life: ChannelLife | None = None
        self._channel: AbstractChannel | None = None
        self._deaf_since: float | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def consuming(self) -> bool:
        """Whether the broker would deliver to us now."""
        return self._life is not None and not self._life.gone.is_set() and not self._paused

    def pause(self) -> None:
        """Take no more: what still arrives is left unsettled and goes back when the channel closes."""
        self._paused = True
        if self._life is not None:
            self._life.paused = True

    async def keep(self, started: asyncio.Event) -> None:
        """Open, read, wait until the channel is gone, begin again; until paused or lost."""
        pause = REOPEN_SECONDS
        while not (self._paused or self.lost.done()):
            try:
                with client_calls():
                    connection = await self._link.connection()
                    async with asyncio.timeout(OPEN_SECONDS):
                        life = await self._open(connection)
                    self._deaf_since = None
                    started.set()
                    pause = REOPEN_SECONDS
                    await self._watch(life)
                    why = life.why or "its channel or consumer is gone"
                    log.warning("reader.reopens", queue=self._queue.name, error=why)
            except FAILURES as error:
                log.warning("reader.reopens", queue=self._queue.name, error=f"{type(error).__name__}: {error}")
                self._count_deafness(error)
            await self._close_channel()
            await asyncio.sleep(random.uniform(0.5, 1.0) * pause)  # noqa: S311 - jitter
            pause = min(REOPEN_LONGEST, pause * 2)

    async def close(self) -> None:
        """Write the last acknowledgements, then close the channel: what is unsettled goes back."""
        if self._life is not None and not self._life.gone.is_set():
            await self._life.flush()
        await self._close_channel()
        if not self.lost.done():
            self.lost.cancel()

    def lose(self, why: str) -> None:
        """Say that only a new process can help."""
        log.error("reader.lost", queue=self._queue.name, why=why)
        if not self.lost.done():
            self.lost.set_exception(BusUnavailable(why))

    async def _open(self, connection: AbstractConnection) -> ChannelLife:
        self._channel = channel = connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.initialize()
        await channel.set_qos(prefetch_count=self._prefetch)
        await self._declare(channel)
        underlay = await channel.get_underlay_channel()
        self._life = life = ChannelLife(underlay, self._queue, self._take)
        life.paused = self._paused
        channel.close_callbacks.add(life.end)
        underlay.on_consumer_cancel_callbacks.add(life.end)
        await underlay.basic_consume(self._queue.name, life.on_message)
        log.debug("reader.open", queue=self._queue.name)
        return life

    async def _declare(self, channel: AbstractChannel) -> None:
        if self._queue.kind is not Kind.PRIVATE:
            await channel.declare_queue(self._queue.name, passive=True)
            return
        queue = await channel.declare_queue(
            self._queue.name, durable=False, exclusive=True, auto_delete=True, arguments=arguments_of(self._queue)
        )
        for binding in self._queue.bindings:
            await queue.bind(binding.exchange.name, binding.key)

    async def _watch(self, life: ChannelLife) -> None:
        """Until the channel is gone, or the broker knows of no consumer although we are one.

        A busy RabbitMQ counts none when it cannot count in time, so it is asked only about a queue that is silent, and
        believed when it says so several times.
        """
        assert self._channel is not None
        seen, misses = life.received, 0
        while not life.gone.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(random.uniform(0.5, 1.5) * WATCH_SECONDS):  # noqa: S311 - jitter
                    await life.gone.wait()
            if life.gone.is_set() or self._paused:
                continue  # a reader that leaves keeps its channel: it settles what it has in hand
            if life.received != seen:
                seen, misses = life.received, 0
                continue
            async with asyncio.timeout(LOST_SECONDS):
                found = await self._channel.declare_queue(self._queue.name, passive=True)
            misses = 0 if found.declaration_result.consumer_count else misses + 1
            if misses == MISSES:
                return

    def _count_deafness(self, error: BaseException) -> None:
        """A queue that is not there, is another one, or is somebody else's: for a while that may pass."""
        if not isinstance(error, ChannelNotFoundEntity | ChannelPreconditionFailed | ChannelLockedResource):
            return
        now = time.monotonic()
        self._deaf_since = self._deaf_since or now
        patience = LOCKED_SECONDS if isinstance(error, ChannelLockedResource) else LOST_SECONDS
        if now - self._deaf_since > patience:
            self.lose(
                f"queue {self._queue.name} could not be read for {patience:g} s ({error}); run `parley topology check`"
            )

    async def _close_channel(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None and not channel.is_closed:
            with contextlib.suppress(*FAILURES), client_calls():
                async with asyncio.timeout(CLOSE_SECONDS):
                    await channel.close()
        if self._life is not None:
            self._life.end()


@asynccontextmanager
async def open_subscription(
    link: Link, queue: Queue[Event], on_deliveries: OnDeliveries, prefetch: int
) -> AsyncIterator[Subscription]:
    """Read until the context is left. Returns when the queue is being read, or lost."""
    reading = RabbitSubscription(link, queue, on_deliveries, prefetch)
    started = asyncio.Event()
    keeping = asyncio.create_task(reading.keep(started))
    keeping.add_done_callback(lambda task: _report(reading, task))
    waiting: asyncio.Future[object] = asyncio.ensure_future(started.wait())
    first: set[asyncio.Future[object]] = {waiting, reading.lost}  # type: ignore[arg-type]  # futures are invariant
    try:
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        yield reading
    finally:
        waiting.cancel()
        keeping.cancel()
        await asyncio.wait({keeping})
        await reading.close()


def _report(reading: RabbitSubscription, keeping: asyncio.Task[None]) -> None:
    """A reader that ends by an error that nobody foresaw must not be deaf in silence."""
    if not keeping.cancelled() and (error := keeping.exception()) is not None:
        reading.lose(f"the reader ended by {type(error).__name__}: {error}")
