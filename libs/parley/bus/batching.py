"""Events on their way out: what goes to one route gathers until the batch before it is confirmed.

One batch a route is under way at a time, so a retry can never overtake; routes without an order may have more. There is
no timer, so an idle bus adds no wait.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain

from parley.bus.events import Event, Packed
from parley.bus.queues import DEAD_EXCHANGE, Route
from parley.bus.stamping import pack, published_now
from parley.contracts.v1 import Batch
from parley.core import BusUnavailable, Invalid

BATCH_BYTES = 256 * 1024
EVENTS_WAITING = 20_000
BYTES_WAITING = 64 * 1024 * 1024
EVENT_BYTES = 4 * 1024 * 1024  # what is larger belongs in a store, with its address in the event


@dataclass(slots=True, eq=False)
class Outbound:
    """One batch: its events, and the future that all of their publishers share."""

    route: Route
    confirmed: asyncio.Future[None]
    events: Batch = field(default_factory=Batch)
    count: int = 0
    size: int = 0
    traceparent: str = ""

    def has_room(self, more: int) -> bool:
        """Whether another event of that many bytes fits."""
        return self.count < self.route.batch and (not self.count or self.size + more <= BATCH_BYTES)


Transmit = Callable[[Outbound], None]


class Batches:
    """Gathers events by route. `transmit` is called with one batch a route at a time; `done` lets the next one go."""

    def __init__(self, transmit: Transmit, producer: str) -> None:
        self._transmit = transmit
        self._producer = producer
        self._waiting: dict[Route, deque[Outbound]] = {}
        self._busy: dict[Route, list[Outbound]] = {}
        self._events = 0
        self._bytes = 0

    def put(self, route: Route, event: Event | Packed) -> asyncio.Future[None]:
        """Take one event. Raises BusUnavailable when too much waits already, Invalid when the event is too large."""
        if isinstance(event, Packed):
            packed, payload = event, event.payload + published_now()
        else:
            packed = self.pack(event)
            payload = packed.payload
        size = len(payload) + 32
        if size > EVENT_BYTES and route.exchange != DEAD_EXCHANGE:
            raise Invalid(f"an event of {size} bytes; {EVENT_BYTES} at most, keep large things in a store")
        if self._events >= EVENTS_WAITING or self._bytes + size > BYTES_WAITING:
            raise BusUnavailable("too many events wait for the broker; try again", retry_after=2)
        batch = self._batch_for(route, size)
        batch.events.events.add(type=packed.type, payload=payload)
        batch.count += 1
        batch.size += size
        self._events += 1
        self._bytes += size
        if not batch.traceparent.endswith("01"):
            batch.traceparent = packed.traceparent
        return batch.confirmed

    def pack(self, event: Event) -> Packed:
        """See the port."""
        return pack(event, self._producer)

    def done(self, batch: Outbound, error: BaseException | None = None) -> None:
        """A batch is confirmed, or will never be."""
        self._events -= batch.count
        self._bytes -= batch.size
        if not batch.confirmed.done():
            if error is None:
                batch.confirmed.set_result(None)
            else:
                batch.confirmed.set_exception(error)
                batch.confirmed.exception()  # read once, so that a publisher who looks away raises no warning
        busy = self._busy.get(batch.route, [])
        if batch in busy:
            busy.remove(batch)
        if not busy:
            self._busy.pop(batch.route, None)
        self._next(batch.route)

    def open(self) -> set[asyncio.Future[None]]:
        """What publishers still wait for."""
        waiting = [batch for batches in self._waiting.values() for batch in batches]
        return {batch.confirmed for batch in [*chain(*self._busy.values()), *waiting] if not batch.confirmed.done()}

    def close(self, error: BaseException) -> None:
        """Nothing goes out any more."""
        for confirmed in self.open():
            confirmed.set_exception(error)
            confirmed.exception()
        self._waiting.clear()

    def _batch_for(self, route: Route, size: int) -> Outbound:
        waiting = self._waiting.get(route)
        if waiting is None:
            waiting = self._waiting[route] = deque()
            if len(self._busy.get(route, ())) < route.window:
                asyncio.get_running_loop().call_soon(self._next, route)
        if not waiting or not waiting[-1].has_room(size):
            waiting.append(Outbound(route, asyncio.get_running_loop().create_future()))
        return waiting[-1]

    def _next(self, route: Route) -> None:
        while (waiting := self._waiting.get(route)) and len(self._busy.get(route, ())) < route.window:
            batch = waiting.popleft()
            if not waiting:
                del self._waiting[route]
            self._busy.setdefault(route, []).append(batch)
            self._transmit(batch)
