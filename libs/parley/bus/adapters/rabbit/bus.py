"""The port of the bus, on RabbitMQ."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from parley.bus.adapters.rabbit import topology
from parley.bus.adapters.rabbit.consumer import open_subscription
from parley.bus.adapters.rabbit.letters import letters_of
from parley.bus.adapters.rabbit.link import Link, open_link
from parley.bus.adapters.rabbit.publisher import Publisher
from parley.bus.events import Event, Packed
from parley.bus.port import Features, OnDeliveries, ParkedLetter, Subscription
from parley.bus.queues import DEAD, Queue, Route
from parley.bus.routes import to_dead
from parley.contracts.v1 import DeadLetter
from parley.core import BusUnavailable, SettingsError

BROKER_SECONDS = 30.0


class RabbitBus:
    """One service's two connections: a broker that stops reading publishers must still be drained."""

    features = Features(durable=True, ordered_by_key=True, survives_restart=True)

    def __init__(self, publishing: Link, consuming: Link, producer: str) -> None:
        self._publishing = publishing
        self._consuming = consuming
        self._publisher = Publisher(publishing, producer)

    @property
    def connected(self) -> bool:
        """Both ways."""
        return self._publishing.connected and self._consuming.connected

    def pack(self, event: Event) -> Packed:
        """See the port."""
        return self._publisher.pack(event)

    def heard(self, route: Route) -> bool:
        """See the port."""
        return self._publisher.heard(route)

    def publish_nowait(self, route: Route, event: Event | Packed) -> asyncio.Future[None]:
        """See the port."""
        return self._publisher.put(route, event)

    async def publish(self, route: Route, event: Event, *, timeout: float = 10.0) -> None:
        """See the port."""
        confirmed = self._publisher.put(route, event)
        done, _ = await asyncio.wait({confirmed}, timeout=timeout)
        if not done:
            raise BusUnavailable(f"not confirmed within {timeout:g} s; publish it again")
        confirmed.result()

    def subscribe(
        self, queue: Queue[Event], on_deliveries: OnDeliveries, *, prefetch: int = 64
    ) -> AbstractAsyncContextManager[Subscription]:
        """See the port."""
        return open_subscription(self._consuming, queue, on_deliveries, prefetch)

    async def apply_topology(self, queues: list[Queue[Event]]) -> list[str]:
        """See the port."""
        async with asyncio.timeout(BROKER_SECONDS):
            return await topology.apply(await self._consuming.connection(), queues)

    async def check_topology(self, queues: list[Queue[Event]]) -> list[str]:
        """See the port."""
        async with asyncio.timeout(BROKER_SECONDS):
            return await topology.check(await self._consuming.connection(), queues)

    async def dead_letters(self, limit: int = 100) -> list[ParkedLetter]:
        """Look without taking: everything goes back when the channel closes."""
        found: list[ParkedLetter] = []
        connection = await self._consuming.connection()
        async with asyncio.timeout(BROKER_SECONDS), connection.channel() as channel:
            queue = await channel.declare_queue(DEAD.name, passive=True)
            while len(found) < limit and (message := await queue.get(no_ack=False, fail=False)) is not None:
                found.extend(letters_of(message))
        return found[:limit]

    async def take_dead_letter(self, letter_id: str) -> DeadLetter | None:
        """Acknowledge the one that is meant; a batch of several is taken apart, the others are put back."""
        connection = await self._consuming.connection()
        async with asyncio.timeout(BROKER_SECONDS), connection.channel() as channel:
            queue = await channel.declare_queue(DEAD.name, passive=True)
            while (message := await queue.get(no_ack=False, fail=False)) is not None:
                for parked in (letters := letters_of(message)):
                    if parked.letter_id == letter_id:
                        for other in letters:
                            if other is not parked:
                                await self.publish(to_dead(other.letter.queue or DEAD.name), other.letter)
                        await message.ack()
                        return parked.letter
        return None

    async def close(self) -> None:
        """Let what is published be confirmed."""
        await self._publisher.close()


@asynccontextmanager
async def open_rabbit_bus(url: str, producer: str) -> AsyncIterator[RabbitBus]:
    """Connect both ways; a broker that is away is waited for, and readiness says so meanwhile.

    Raises SettingsError for an address that is none.
    """
    _check(url)
    async with AsyncExitStack() as stack:
        publishing = await stack.enter_async_context(open_link(url, producer, "publish"))
        consuming = await stack.enter_async_context(open_link(url, producer, "consume"))
        bus = RabbitBus(publishing, consuming, producer)
        stack.push_async_callback(bus.close)
        yield bus


def _check(url: str) -> None:
    with contextlib.suppress(ValueError):  # a port that is no number
        parts = urlsplit(url)
        if parts.hostname and parts.port != 0:
            return
    raise SettingsError(
        "PARLEY_BUS_URL names no broker; expected amqp://user:pass@host/, with :port after the host if any"
    )
