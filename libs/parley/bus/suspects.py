"""Messages that came back too often: one of them crashes its reader, and must meet the delivery limit by itself.

From half of its queue's delivery limit on, a message is a suspect. A suspect batch is taken apart: each of its events
goes back to the end of the queue by itself, counted from nothing. A suspect of one event is handed over alone, so that
its place tells who crashes; what waits behind it on a last delivery of its own goes back to the end of the queue first.

Not sooner, because what goes back to the end of a queue has been overtaken: the order of a queue survives readers that
leave or die now and then, as they do in a rolling restart.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

GATHER_SECONDS = 0.2  # for what comes back together with a suspect to arrive


class Incoming(Protocol):
    """One message of the broker."""

    @property
    def redelivered(self) -> int:
        """How often it has been delivered before."""
        ...

    @property
    def events(self) -> int:
        """How many events it holds."""
        ...


M = TypeVar("M", bound=Incoming)


def suspect_from(delivery_limit: int) -> int:
    """Redeliveries that make a suspect."""
    return max(2, delivery_limit // 2)


class Gate(Generic[M]):
    """Stands between the broker and a reader. `give` hands over; `renew` puts back in single events, or says no."""

    def __init__(self, delivery_limit: int, give: Callable[[M], None], renew: Callable[[M], Awaitable[bool]]) -> None:
        self._limit = delivery_limit
        self._from = suspect_from(delivery_limit)
        self._give = give
        self._renew = renew
        self._held: deque[M] = deque()
        self._sorting: asyncio.Task[None] | None = None
        self._alone: M | None = None
        self._free = asyncio.Event()

    def arrive(self, message: M) -> None:
        """Take a message from the broker, in the order of the queue."""
        if self._sorting is None and message.redelivered < self._from:
            self._give(message)
            return
        self._held.append(message)
        if self._sorting is None:
            self._sorting = asyncio.create_task(self._sort())

    def settled(self, message: M) -> None:
        """All of a message's events are settled."""
        if message is self._alone:
            self._free.set()

    def close(self) -> None:
        """Hand over nothing more."""
        self._held.clear()
        if self._sorting is not None:
            self._sorting.cancel()

    async def _sort(self) -> None:
        while self._held:
            message = self._held.popleft()
            if message.redelivered < self._from:
                self._give(message)
            elif message.events == 1 or not await self._renew(message):
                await self._hand_over_alone(message)
        self._sorting = None

    async def _hand_over_alone(self, message: M) -> None:
        if message.redelivered >= self._limit:
            await asyncio.sleep(GATHER_SECONDS)
            for neighbour in list(self._held):
                if neighbour.redelivered >= self._limit and await self._renew(neighbour):
                    self._held.remove(neighbour)
        self._free.clear()
        self._alone = message
        self._give(message)
        await self._free.wait()
        self._alone = None
