"""A clock that stands still while the whole machine does: a sleeping laptop, a paused virtual machine, a stopped run.

Who measures how long something took to recover must not count the time in which nothing at all could run.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

BEAT_SECONDS = 0.1
STALL_SECONDS = 2.0  # between two beats: far more than a busy loop takes


class AwakeClock:
    """Monotonic seconds without those of a standstill; like any other clock while `beating` is not entered."""

    def __init__(self) -> None:
        self._lost = 0.0
        self._beat: float | None = None

    def now(self) -> float:
        """Seconds; only differences mean anything."""
        now = time.monotonic()
        return now - self._lost - self._stalled(now)

    @property
    def lost(self) -> float:
        """How long everything has stood still in all."""
        return self._lost

    def beat(self, now: float) -> None:
        """Something could run."""
        self._lost += self._stalled(now)
        self._beat = now

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Notice standstills until the context is left."""
        task = asyncio.create_task(self._keep_beating())
        try:
            yield
        finally:
            task.cancel()
            self._beat = None

    async def _keep_beating(self) -> None:
        while True:
            self.beat(time.monotonic())
            await asyncio.sleep(BEAT_SECONDS)

    def _stalled(self, now: float) -> float:
        since = now - self._beat if self._beat is not None else 0.0
        return since - BEAT_SECONDS if since > STALL_SECONDS else 0.0
