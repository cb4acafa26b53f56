"""A clock that tests turn by hand: thirty seconds of waiting take a millisecond."""

import asyncio
import heapq
import itertools


class VirtualClock:
    """Time stands still until it is advanced; sleepers wake in order of their time."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def now(self) -> float:
        """Unix seconds."""
        return self._now

    def monotonic(self) -> float:
        """The same seconds; they never go back."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until somebody has advanced the clock that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._count), woken))
        await woken

    @property
    def next_wake(self) -> float | None:
        """When the first sleeper would wake."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def advance(self, seconds: float) -> None:
        """Move time on, waking each sleeper at its own moment and letting it run."""
        goal = self._now + seconds
        while (due := self.next_wake) is not None and due <= goal:
            self._now = max(self._now, due)
            _, _, woken = heapq.heappop(self._sleepers)
            woken.set_result(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self._now = goal
