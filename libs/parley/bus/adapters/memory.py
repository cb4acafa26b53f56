"""The bus inside one process: a real broker in small, held to the same suite as RabbitMQ.

Everything with one URL meets in one broker. Events are carried as bytes, so nobody shares an object with a publisher.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from parley.bus.batching import Batches, Outbound
from parley.bus.dead_letters import letter_of
from parley.bus.events import Event, from_envelope
from parley.bus.port import Delivery, Features, OnDeliveries, ParkedLetter, Subscription
from parley.bus.queues import DEAD, DEAD_EXCHANGE, Kind, Queue, Route
from parley.bus.stamping import stamp
from parley.bus.topics import matches
from parley.contracts.v1 import DeadLetter, Envelope
from parley.core import BusUnavailable, Unroutable

FULL_PAUSE = 0.02  # seconds before a refused batch is offered again
SPLIT_FROM = 2  # deliveries of a batch before it is split into single events


@dataclass(slots=True)
class _Message:
    """One batch in a queue."""

    route: Route
    envelopes: list[Envelope]
    redelivered: int = 0
    cause: str = ""
    source: str = ""


@dataclass(slots=True)
class _Held:
    """One batch in a reader's hand."""

    message: _Message
    open: set[int]


class MemoryDelivery:
    """One event of a batch."""

    __slots__ = ("_envelope", "_held", "_index", "_reader", "event", "problem", "received_at", "redelivered", "route")

    def __init__(self, reader: "_Reader", held: _Held, index: int) -> None:
        self._reader = reader
        self._held = held
        self._index = index
        self._envelope = held.message.envelopes[index]
        self.route = held.message.route
        self.redelivered = held.message.redelivered
        self.received_at = time.time()
        self.event: Event | None = None
        self.problem = ""
        try:
            self.event = from_envelope(self._envelope)
        except KeyError:
            self.problem = f"this release knows no event {self._envelope.type}"
        except DecodeError as error:
            self.problem = f"unreadable {self._envelope.type}: {error}"

    @property
    def raw(self) -> bytes:
        """The bytes as they came."""
        return self._envelope.SerializeToString()

    def settle(self) -> None:
        """Done with it."""
        self._reader.settle(self._held, self._index)


class _Reader:
    """One open subscription."""

    def __init__(self, queue: "_MemoryQueue", take: OnDeliveries, prefetch: int) -> None:
        self._queue = queue
        self._take = take
        self._prefetch = prefetch
        self._paused = False
        self._closed = False
        self.held: list[_Held] = []
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def consuming(self) -> bool:
        """Whether more would be delivered to it."""
        return not (self._paused or self._closed)

    @property
    def hungry(self) -> bool:
        """Whether it may have another batch now."""
        return self.consuming and len(self.held) < self._prefetch

    def pause(self) -> None:
        """No more deliveries."""
        self._paused = True

    def give(self, message: _Message) -> None:
        """Hand over one batch."""
        held = _Held(message, set(range(len(message.envelopes))))
        self.held.append(held)
        deliveries: list[Delivery] = [MemoryDelivery(self, held, n) for n in range(len(message.envelopes))]
        self._take(deliveries)

    def settle(self, held: _Held, index: int) -> None:
        """One event is done; its batch goes when all of its events are."""
        held.open.discard(index)
        if not held.open and held in self.held and not self._closed:
            self.held.remove(held)
            self._queue.wake()

    def close(self) -> list[_Message]:
        """What is unsettled, oldest first."""
        self._closed = True
        back = [held.message for held in self.held]
        self.held.clear()
        if not self.lost.done():
            self.lost.cancel()
        return back


class _MemoryQueue:
    """One queue: waiting batches and their readers."""

    def __init__(self, broker: "_Broker", spec: Queue[Event]) -> None:
        self.spec = spec
        self.waiting: deque[_Message] = deque()
        self._broker = broker
        self._readers: list[_Reader] = []
        self._turn = 0
        self._woken = False

    @property
    def full(self) -> bool:
        """Whether a publish is refused. PRIVATE queues drop their oldest instead."""
        return self.spec.kind is not Kind.PRIVATE and len(self.waiting) >= self.spec.max_length

    def put(self, message: _Message) -> None:
        """Append one batch."""
        self.waiting.append(message)
        if self.spec.kind is Kind.PRIVATE and len(self.waiting) > self.spec.max_length:
            self.waiting.popleft()
        self.wake()

    def attach(self, reader: _Reader) -> None:
        """Begin to read."""
        self._readers.append(reader)
        self.wake()

    def detach(self, reader: _Reader) -> None:
        """Stop reading; what is unsettled goes back to the head, in order."""
        self._readers.remove(reader)
        for message in reversed(reader.close()):
            self._give_back(message)
        self.wake()

    def wake(self) -> None:
        """Deliver soon: at the next turn of the loop, so that publishers never run readers' code."""
        if not self._woken:
            self._woken = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._woken = False
        while self.waiting and (reader := self._next_reader()) is not None:
            reader.give(self.waiting.popleft())

    def _next_reader(self) -> _Reader | None:
        if self.spec.kind is Kind.SHARD:
            # The first subscriber is the active one until it closes, hungry or not: order depends on it.
            first = self._readers[0] if self._readers else None
            return first if first is not None and first.hungry else None
        for step in range(len(self._readers)):
            reader = self._readers[(self._turn + step) % len(self._readers)]
            if reader.hungry:
                self._turn = (self._turn + step + 1) % len(self._readers)
                return reader
        return None

    def _give_back(self, message: _Message) -> None:
        message.redelivered += 1
        if message.redelivered > self.spec.delivery_limit and self.spec.kind is not Kind.DEAD:
            self._broker.bury(message, self.spec)
        elif message.redelivered >= SPLIT_FROM and len(message.envelopes) > 1:
            singles = [_Message(message.route, [envelope], message.redelivered) for envelope in message.envelopes]
            self.waiting.extendleft(reversed(singles))
        else:
            self.waiting.appendleft(message)


@dataclass
class _Broker:
    """All queues of one URL."""

    queues: dict[str, _MemoryQueue] = field(default_factory=dict)
    users: int = 0

    def declare(self, spec: Queue[Event]) -> bool:
        """Make a queue; False when it is there."""
        if spec.name in self.queues:
            return False
        self.queues[spec.name] = _MemoryQueue(self, spec)
        return True

    def takers(self, route: Route) -> list[_MemoryQueue]:
        """The queues that a route leads to."""
        return [
            queue
            for queue in self.queues.values()
            if any(b.exchange == route.exchange and matches(b.key, route.key) for b in queue.spec.bindings)
        ]

    def bury(self, message: _Message, spec: Queue[Event]) -> None:
        """The delivery limit is reached: to the dead letters, with the cause."""
        letter = _Message(message.route, message.envelopes, 0, f"delivery limit {spec.delivery_limit}", spec.name)
        for queue in self.takers(Route(DEAD_EXCHANGE, message.route.key)):
            queue.put(letter)


_brokers: dict[str, _Broker] = {}


class MemoryBus:
    """One service's connection to the broker of a `memory:` URL."""

    features = Features(durable=False, ordered_by_key=True, survives_restart=False)

    def __init__(self, broker: _Broker, producer: str) -> None:
        self._broker = broker
        self._producer = producer
        self._batches = Batches(self._transmit)
        self._closed = False

    @property
    def connected(self) -> bool:
        """Until it is closed."""
        return not self._closed

    def publish_nowait(self, route: Route, event: Event) -> asyncio.Future[None]:
        """See the port."""
        if self._closed:
            raise BusUnavailable("the bus is closed")
        stamp(event, self._producer)
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
        if queue.kind is Kind.PRIVATE:
            self._broker.declare(queue)
        found = self._broker.queues.get(queue.name)
        if found is None:
            raise Unroutable(f"there is no queue {queue.name}; apply the topology first")
        reader = _Reader(found, on_deliveries, prefetch)
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
        while not self._batches.empty and self._broker.queues:
            await asyncio.sleep(0)
            if all(queue.full for queue in self._broker.queues.values()):
                break
        self._closed = True
        self._batches.close(BusUnavailable("the bus was closed first"))

    def _dead(self) -> list[_Message]:
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
            queue.put(_Message(batch.route, list(batch.envelopes)))
        lost = not takers and batch.route.mandatory
        error = Unroutable(f"no queue takes {batch.route.exchange.name}:{batch.route.key}") if lost else None
        loop.call_soon(self._batches.done, batch, error)


def _letters(message: _Message) -> list[ParkedLetter]:
    return [
        letter_of(
            envelope, route=message.route, cause=message.cause, attempts=message.redelivered, queue=message.source
        )
        for envelope in message.envelopes
    ]


@asynccontextmanager
async def open_memory_bus(url: str, producer: str) -> AsyncIterator[MemoryBus]:
    """Join the broker of this URL; it is gone when its last user has left."""
    broker = _brokers.setdefault(url, _Broker())
    broker.users += 1
    bus = MemoryBus(broker, producer)
    try:
        yield bus
    finally:
        await bus.close()
        broker.users -= 1
        if not broker.users:
            _brokers.pop(url, None)
