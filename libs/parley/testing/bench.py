"""A service on the bench: the real runner and a real bus in memory, with time that a test turns by hand.

`async with TestBench(service) as bench:` … `await bench.publish(event)` … `await bench.settled()` … `bench.sent(Kind)`.
"""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from parley.bus import Bus, Event, Packed, Route, unpack
from parley.bus.open import open_bus
from parley.bus.queues import durable_queues
from parley.bus.routes import route_of
from parley.core import new_replica_id
from parley.core.settings import PlaceSettings
from parley.service import Context, Service
from parley.service.run import Running, running
from parley.testing.virtual_clock import VirtualClock

D = TypeVar("D")
E = TypeVar("E", bound=Event)

QUIET_TURNS = 25  # turns of the loop without any change before the bench counts as settled
PATIENCE = 10.0  # real seconds that `settled` and `until` wait at most


class _Recorder:
    """The bus as the service has it, every publish noted."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.published: list[tuple[Route, Event]] = []
        self.unconfirmed: set[asyncio.Future[None]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def heard(self, route: Route) -> bool:
        return True  # the bench looks at every fact

    def publish_nowait(self, route: Route, event: Event | Packed) -> asyncio.Future[None]:
        future = self._bus.publish_nowait(route, event)
        self._note(route, event if not isinstance(event, Packed) else unpack(event), future)
        return future

    async def publish(self, route: Route, event: Event, *, timeout: float = 10.0) -> None:
        future = self.publish_nowait(route, event)
        async with asyncio.timeout(timeout):
            await asyncio.shield(future)

    def _note(self, route: Route, event: Event, future: asyncio.Future[None]) -> None:
        self.published.append((route, event))
        self.unconfirmed.add(future)
        future.add_done_callback(self.unconfirmed.discard)


class TestBench(Generic[D]):
    """One service under test."""

    __test__ = False  # a bench, not a test class

    def __init__(self, service: Service[D], *, deps: D | None = None, **settings: Any) -> None:
        self._service = service
        self._deps = deps
        self._given = settings
        self.clock = VirtualClock()
        self._stack = AsyncExitStack()
        self._last: Event | None = None

    async def __aenter__(self) -> Self:
        home = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-")))
        replica = new_replica_id()
        settings = PlaceSettings(**{"home": home, "bus_url": f"memory:{replica}", "shards": 2, **self._given})
        # Two connections: the bench's own, so that what it publishes is not taken for what the service sent.
        self._outside = await self._stack.enter_async_context(
            open_bus(settings.bus_url, service="bench", replica=replica)
        )
        queues = [*durable_queues(settings.shards), *self._service.durable_queues()]
        await self._outside.apply_topology(queues)
        inside = await self._stack.enter_async_context(
            open_bus(settings.bus_url, service=self._service.name, replica=replica)
        )
        self._recorder = _Recorder(inside)
        self._running: Running = await self._stack.enter_async_context(
            running(
                self._service,
                settings,
                cast(Bus, self._recorder),
                replica=replica,
                clock=self.clock,
                deps=self._deps,
            )
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.drain(1.0)
        await self._stack.aclose()

    @property
    def ctx(self) -> Context[D]:
        """The service's own context."""
        return self._running.ctx

    async def publish(self, event: Event, route: Route | None = None) -> None:
        """Publish as somebody else would."""
        self._last = event
        await self._outside.publish(route or route_of(event, self.ctx.settings.shards), event)

    async def redeliver_last(self) -> None:
        """Publish the last event once more, as a broker that lost an ack would."""
        assert self._last is not None, "publish something first"
        await self.publish(self._last)

    def sent(self, kind: type[E]) -> list[E]:
        """What the service has published of this type, oldest first."""
        return [event for _, event in self._recorder.published if isinstance(event, kind)]

    def routes(self, kind: type[Event]) -> list[Route]:
        """Where it went."""
        return [route for route, event in self._recorder.published if isinstance(event, kind)]

    async def dead(self) -> list[str]:
        """The causes of what was parked."""
        return [parked.letter.cause for parked in await self._outside.dead_letters()]

    async def settled(self) -> None:
        """Wait until nothing moves any more; handlers that wait on the clock are woken in turn."""
        async with asyncio.timeout(PATIENCE):
            quiet = 0
            while quiet < QUIET_TURNS:
                await asyncio.sleep(0)
                quiet = 0 if self._moving() else quiet + 1
                if quiet == 0 and (due := self.clock.next_wake) is not None:
                    await self.clock.advance(max(0.0, due - self.clock.now()))

    async def until(self, fact: Callable[[], object]) -> None:
        """Wait until `fact()` holds."""
        async with asyncio.timeout(PATIENCE):
            while not fact():  # noqa: ASYNC110 - the fact has no event
                await asyncio.sleep(0.001)

    def _moving(self) -> bool:
        return bool(self._recorder.unconfirmed) or not all(consumer.idle for consumer in self._running.consumers)
