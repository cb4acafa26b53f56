"""Who may call a model now: so many at once, so much a minute, tenants in turn, and nobody who has stopped waiting."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakValueDictionary

from parley.core import Clock
from parley.telemetry import gauge, histogram, names
from parley_ai_engine.admission.buckets import Buckets, Rate

LONGEST_QUEUE: Final = 1000


class NotAdmitted(Exception):
    """There was no place in time, or the queue is full: take the next rung."""


@dataclass
class Permit:
    """A place at the model. Say what was used; else the reservation stands, since the vendor may have counted it."""

    reserved: int
    used: int | None = None


@dataclass(frozen=True, slots=True)
class GateRules:
    """Limits of one key, and of each tenant at it."""

    at_once: int = 50
    key: Rate = field(default_factory=Rate)
    tenant: Rate = field(default_factory=Rate)


class Gate:
    """The door of one key. Those who wait stand in one line for each tenant, and the lines are served in turn."""

    def __init__(self, name: str, rules: GateRules, buckets: Buckets, clock: Clock) -> None:
        self._name = name
        self._rules = rules
        self._buckets = buckets
        self._clock = clock
        self._running = 0
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return sum(map(len, self._lines.values()))

    @asynccontextmanager
    async def enter(self, tenant: str, tokens: int, end: float) -> AsyncIterator[Permit]:
        """A place and its tokens. Raises NotAdmitted when there is none by `end`, on the monotonic clock."""
        began = self._clock.monotonic()
        limits = {self._name: self._rules.key, f"{self._name}:{tenant}": self._rules.tenant}
        await self._tokens(tenant, limits, tokens, end)
        permit = Permit(tokens, used=0)  # nothing, should it not come to a call
        try:
            await self._place(tenant, end)
            histogram(names.ADMISSION_SECONDS).observe(self._clock.monotonic() - began)
            permit.used = None
            try:
                yield permit
            finally:
                self._leave()
        finally:
            if permit.used is not None:
                await self._buckets.settle(limits, tokens, permit.used)

    async def _tokens(self, tenant: str, limits: dict[str, Rate], tokens: int, end: float) -> None:
        """Before the place: who waits for its own minute keeps no place from others. In order for each tenant."""
        turn = self._turns.get(tenant) or self._turns.setdefault(tenant, asyncio.Lock())
        try:
            async with asyncio.timeout(max(0.0, end - self._clock.monotonic())), turn:
                while (wait := await self._buckets.reserve(limits, tokens)) > 0:
                    if self._clock.monotonic() + wait >= end:
                        raise NotAdmitted(f"its minute is spent for another {wait:.0f} s")
                    await self._clock.sleep(wait + 0.001)
        except TimeoutError:
            raise NotAdmitted("others of its tenant came first") from None

    async def _place(self, tenant: str, end: float) -> None:
        if self._running < self._rules.at_once and not self._lines:
            self._running += 1
            return
        if self.waiting >= LONGEST_QUEUE:
            raise NotAdmitted("too many wait")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(tenant, deque()).append(place)
        gauge(names.ADMISSION_WAITING).inc()
        try:
            async with asyncio.timeout(max(0.0, end - self._clock.monotonic())):
                await place
        except TimeoutError:
            self._step_out(tenant, place)
            raise NotAdmitted("no place in time") from None
        except asyncio.CancelledError:
            self._step_out(tenant, place)
            raise
        finally:
            gauge(names.ADMISSION_WAITING).dec()

    def _step_out(self, tenant: str, place: "asyncio.Future[None]") -> None:
        """Nobody waits for this any more: out of the line, or, when just called, the place goes to the next."""
        if place.done() and not place.cancelled():
            self._leave()
            return
        line = self._lines.get(tenant)
        if line is not None and place in line:
            line.remove(place)
            if not line:
                del self._lines[tenant]

    def _leave(self) -> None:
        """The next of the tenant whose turn it is; that tenant then goes to the end of the round."""
        while self._lines:
            tenant, line = next(iter(self._lines.items()))
            place = line.popleft()
            del self._lines[tenant]
            if line:
                self._lines[tenant] = line
            if not place.done():
                place.set_result(None)
                return
        self._running -= 1
