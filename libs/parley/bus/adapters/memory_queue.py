"""The queues of a broker inside one process: competing readers, one active reader of a shard, limits, dead letters."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from parley.bus.events import Event, from_envelope
from parley.bus.port import Delivery, OnDeliveries
from parley.bus.queues import DEAD_EXCHANGE, Kind, Queue, Route
from parley.bus.suspects import Gate
from parley.bus.topics import matches
from parley.contracts.v1 import Envelope
from parley.telemetry import Log

log = Log("bus")


@dataclass(slots=True)
class MemoryMessage:
    """One batch in a queue."""

    route: Route
    envelopes: list[Envelope]
    redelivered: int = 0
    cause: str = ""
    source: str = ""
    attempts: int = 0


@dataclass(slots=True)
class Held:
    """One batch in a reader's hand."""

    message: MemoryMessage
    open: set[int]

    @property
    def redelivered(self) -> int:
        """How often it was delivered before."""
        return self.message.redelivered

    @property
    def events(self) -> int:
        """How many it holds."""
        return len(self.message.envelopes)


class MemoryDelivery:
    """One event of a batch."""

    __slots__ = ("_envelope", "_held", "_index", "_reader", "event", "problem", "received_at", "redelivered", "route")

    def __init__(self, reader: "MemoryReader", held: Held, index: int) -> None:
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


class MemoryReader:
    """One open subscription."""

    def __init__(self, queue: "MemoryQueue", take: OnDeliveries, prefetch: int) -> None:
        self._queue = queue
        self._take = take
        self._prefetch = prefetch
        self._paused = False
        self._closed = False
        self.held: list[Held] = []
        self._gate: Gate[Held] = Gate(queue.spec.delivery_limit, self._hand_over, self._renew)
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

    def give(self, message: MemoryMessage) -> None:
        """Take one batch from the queue."""
        held = Held(message, set(range(len(message.envelopes))))
        self.held.append(held)
        self._gate.arrive(held)

    def settle(self, held: Held, index: int) -> None:
        """One event is done; its batch goes when all of its events are."""
        held.open.discard(index)
        if not held.open and not self._closed:
            self._drop(held)

    def close(self) -> list[MemoryMessage]:
        """What is unsettled, oldest first."""
        self._closed = True
        self._gate.close()
        back = [held.message for held in self.held]
        self.held.clear()
        if not self.lost.done():
            self.lost.cancel()
        return back

    def _hand_over(self, held: Held) -> None:
        if not self._paused:
            deliveries: list[Delivery] = [MemoryDelivery(self, held, n) for n in range(held.events)]
            self._take(deliveries)

    async def _renew(self, held: Held) -> bool:
        for envelope in held.message.envelopes:
            self._queue.put(MemoryMessage(held.message.route, [envelope]))
        self._drop(held)
        return True

    def _drop(self, held: Held) -> None:
        """It has left this reader's hand for good."""
        self.held = [other for other in self.held if other is not held]
        self._gate.settled(held)
        self._queue.wake()


class MemoryQueue:
    """One queue: waiting batches and their readers."""

    def __init__(self, broker: "MemoryBroker", spec: Queue[Event]) -> None:
        self.spec = spec
        self.waiting: deque[MemoryMessage] = deque()
        self._broker = broker
        self._readers: list[MemoryReader] = []
        self._turn = 0
        self._woken = False

    @property
    def full(self) -> bool:
        """Whether a publish is refused. PRIVATE queues drop their oldest instead."""
        return self.spec.kind is not Kind.PRIVATE and len(self.waiting) >= self.spec.max_length

    def put(self, message: MemoryMessage) -> None:
        """Append one batch."""
        self.waiting.append(message)
        if self.spec.kind is Kind.PRIVATE and len(self.waiting) > self.spec.max_length:
            self.waiting.popleft()
        self.wake()

    def attach(self, reader: MemoryReader) -> None:
        """Begin to read."""
        self._readers.append(reader)
        self.wake()

    def detach(self, reader: MemoryReader) -> None:
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

    def _next_reader(self) -> MemoryReader | None:
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

    def _give_back(self, message: MemoryMessage) -> None:
        message.redelivered += 1
        if message.redelivered > self.spec.delivery_limit and self.spec.kind is not Kind.DEAD:
            self._broker.bury(message, self.spec)
        else:
            self.waiting.appendleft(message)


@dataclass
class MemoryBroker:
    """All queues of one URL."""

    queues: dict[str, MemoryQueue] = field(default_factory=dict)
    users: int = 0

    def declare(self, spec: Queue[Event]) -> bool:
        """Make a queue; False when it is there."""
        if spec.name in self.queues:
            return False
        self.queues[spec.name] = MemoryQueue(self, spec)
        return True

    def takers(self, route: Route) -> list[MemoryQueue]:
        """The queues that a route leads to."""
        return [
            queue
            for queue in self.queues.values()
            if any(b.exchange == route.exchange and matches(b.key, route.key) for b in queue.spec.bindings)
        ]

    def bury(self, message: MemoryMessage, spec: Queue[Event]) -> None:
        """The delivery limit is reached: to the dead letters, with the cause."""
        cause = f"broker: delivery_limit {spec.delivery_limit}"
        takers = self.takers(Route(DEAD_EXCHANGE, message.route.key))
        for queue in takers:
            queue.put(MemoryMessage(message.route, message.envelopes, 0, cause, spec.name, message.redelivered))
        if not takers:
            log.error("event.lost", queue=spec.name, cause=cause, why="there is no queue for dead letters")
