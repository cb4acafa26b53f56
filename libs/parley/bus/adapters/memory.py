"""The bus inside one process: a real broker in small, held to the same suite as RabbitMQ.

Everything with one URL meets in one broker. Events are carried as bytes, so nobody shares an object with a publisher.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from parley.bus.adapters.memory_queue import MemoryBroker, MemoryMessage, MemoryReader
from parley.bus.batching import Batches, Outbound
from parley.bus.dead_letters import letter_of
from parley.bus.events import Event, Packed
from parley.bus.port import Features, OnDeliveries, ParkedLetter, Subscription
from parley.bus.queues import DEAD, Kind, Queue, Route
from parley.contracts.v1 import DeadLetter
from parley.core import BusUnavailable, Conflict, Unroutable

FULL_PAUSE = 0.02  # seconds before a refused batch is offered again
CLOSE_SECONDS = 0.5  # for what is published to be taken

_brokers: dict[str, MemoryBroker] = {}


class MemoryBus:
    """One service's connection to the broker of a `memory:` URL."""

    features = Features(durable=False, ordered_by_key=True, survives_restart=False)

    def __init__(self, broker: MemoryBroker, producer: str) -> None:
        self._broker = broker
        self._batches = Batches(self._transmit, producer)
        self._closed = False

    @property
    def connected(self) -> bool:
        """Until it is closed."""
        return not self._closed

    def pack(self, event: Event) -> Packed:
        """See the port."""
        return self._batches.pack(event)

    def heard(self, route: Route) -> bool:
        """See the port."""
        return bool(self._broker.takers(route))

    def publish_nowait(self, route: Route, event: Event | Packed) -> asyncio.Future[None]:
        """See the port."""
        if self._closed:
            raise BusUnavailable("the bus is closed")
        return self._batches.put(route, event)

    async def publish(self, route: Route, event: Event, *, timeout: float = 10.0) -> None:
        """See the port."""
        confirmed = self.publish_nowait(route, event)
        done, _ = await asyncio.wait({confirmed}, timeout=timeout)
        if not done:
            raise BusUnavailable(f"not confirmed within {timeout:g} s; publish it again")
        confirmed.result()

    @asynccontextmanager
    async def subscribe(
        self, queue: Queue[Event], on_deliveries: OnDeliveries, *, prefetch: int = 64
    ) -> AsyncIterator[Subscription]:
        """See the port. Raises Unroutable for a queue that nobody has declared."""
        if queue.kind is Kind.PRIVATE and not self._broker.declare(queue):
            raise Conflict(f"queue {queue.name} is private to another reader")
        found = self._broker.queues.get(queue.name)
        if found is None:
            raise Unroutable(f"there is no queue {queue.name}; apply the topology first")
        reader = MemoryReader(found, on_deliveries, prefetch)
        found.attach(reader)
        try:
            yield reader
        finally:
            found.detach(reader)
            if queue.kind is Kind.PRIVATE:
                del self._broker.queues[queue.name]

    async def apply_topology(self, queues: list[Queue[Event]]) -> list[str]:
        """See the port."""
        return [f"queue {queue.name}" for queue in queues if self._broker.declare(queue)]

    async def check_topology(self, queues: list[Queue[Event]]) -> list[str]:
        """See the port."""
        missing = [queue.name for queue in queues if queue.name not in self._broker.queues]
        return [f"queue {name} is missing; run `parley topology apply`" for name in missing]

    async def dead_letters(self, limit: int = 100) -> list[ParkedLetter]:
        """See the port."""
        found = [letter for message in self._dead() for letter in _letters(message)]
        return found[:limit]

    async def take_dead_letter(self, letter_id: str) -> DeadLetter | None:
        """See the port."""
        for message in self._dead():
            for envelope, parked in zip(message.envelopes, _letters(message), strict=True):
                if parked.letter_id == letter_id:
                    message.envelopes.remove(envelope)
                    if not message.envelopes:
                        self._broker.queues[DEAD.name].waiting.remove(message)
                    return parked.letter
        return None

    async def close(self) -> None:
        """What is not confirmed by now has an unknown outcome."""
        deadline = time.monotonic() + CLOSE_SECONDS
        while (confirms := self._batches.open()) and (left := deadline - time.monotonic()) > 0:
            await asyncio.wait(confirms, timeout=left)
        self._closed = True
        self._batches.close(BusUnavailable("the bus was closed first"))

    def _dead(self) -> list[MemoryMessage]:
        dead = self._broker.queues.get(DEAD.name)
        return list(dead.waiting) if dead else []

    def _transmit(self, batch: Outbound) -> None:
        """Hand a batch to its queues, or try again while one of them is full; confirmed a turn of the loop later."""
        loop = asyncio.get_running_loop()
        takers = self._broker.takers(batch.route)
        if any(queue.full for queue in takers) and not self._closed:
            loop.call_later(FULL_PAUSE, self._transmit, batch)
            return
        for queue in takers:
            queue.put(MemoryMessage(batch.route, list(batch.events.events)))
        lost = not takers and batch.route.mandatory
        error = Unroutable(f"no queue takes {batch.route.exchange.name}:{batch.route.key}") if lost else None
        loop.call_soon(self._batches.done, batch, error)


def _letters(message: MemoryMessage) -> list[ParkedLetter]:
    return [
        letter_of(envelope, route=message.route, cause=message.cause, attempts=message.attempts, queue=message.source)
        for envelope in message.envelopes
    ]


@asynccontextmanager
async def open_memory_bus(url: str, producer: str) -> AsyncIterator[MemoryBus]:
    """Join the broker of this URL; it is gone when its last user has left."""
    broker = _brokers.setdefault(url, MemoryBroker())
    broker.users += 1
    bus = MemoryBus(broker, producer)
    try:
        yield bus
    finally:
        await bus.close()
        broker.users -= 1
        if not broker.users:
            _brokers.pop(url, None)
