"""Keep what is searched up to date with what is stored, whoever wrote it: this process, another replica, the CLI."""

import asyncio
from typing import Final

from parley.core import Clock, Unavailable
from parley.telemetry import Log
from parley_knowledge.library import Library

GATHER_SECONDS: Final = 0.05  # changes that come together are indexed together
FULL_LOOK_SECONDS: Final = 60.0  # finds a change whose writer died before it could count it


class Freshness:
    """Looks at the revisions every `poll_seconds`, and at once when this process has written."""

    def __init__(self, library: Library, clock: Clock, *, poll_seconds: float) -> None:
        self._library = library
        self._clock = clock
        self._poll = poll_seconds
        self._log = Log("knowledge")
        self._looked = clock.monotonic()

    async def keep(self, draining: asyncio.Event) -> None:
        """Refresh until draining. A database that does not answer is asked again; searches go on meanwhile."""
        while not draining.is_set():
            await wait_first(self._library.changed, draining, clock=self._clock, seconds=self._poll)
            if draining.is_set():
                return
            if self._library.changed.is_set():
                await self._clock.sleep(GATHER_SECONDS)
                self._library.changed.clear()
            await self._clock.sleep(await self.look())

    async def look(self) -> float:
        """Refresh once; the seconds that it took, so that rebuilding never takes more than half of the time."""
        began = self._clock.monotonic()
        full = began - self._looked >= FULL_LOOK_SECONDS
        try:
            await self._library.refresh(all_tenants=full)
        except Unavailable as error:
            self._log.warning("knowledge.stale", error=str(error))
        else:
            self._looked = began if full else self._looked
        return self._clock.monotonic() - began


async def wait_first(*events: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Return when one of the events is set or that many seconds of the clock are over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    waiting.append(asyncio.ensure_future(clock.sleep(seconds)))  # type: ignore[arg-type]  # None instead of True
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in waiting:
            future.cancel()
