"""A shard's worker between a real bus in memory and a real SQLite store, with faults to order."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from parley.bus import Bus, Event
from parley.bus.open import open_bus
from parley.bus.queues import USER_TO_ENGINE, durable_queues, gateway_replica
from parley.bus.routes import to_shard
from parley.contracts.v1 import Deliver, EventMeta, Message, StreamEvent, TurnCompleted, TurnRequested
from parley.core import BusUnavailable, Unavailable, new_id
from parley.core.settings import PlaceSettings
from parley.service import Context
from parley.telemetry import Log, Tracing
from parley.testing.virtual_clock import VirtualClock
from parley_session_router.machine import Rules, SessionState
from parley_session_router.machine.codec import decode
from parley_session_router.shards.worker import ShardWorker
from parley_session_router.store import SessionKey, SessionStore, open_store

PATIENCE = 10.0  # real seconds that a fact may take


class Faulty:
    """A bus or store of which single calls can be made to fail."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.refusals = 0  # publishes that find the bus full
        self.silent = False  # publishes are swallowed and never confirmed
        self.away = 0  # commits that fail before they are written
        self.forgotten = 0  # commits that are written, and then said to have failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def publish_nowait(self, route: Any, event: Event) -> "asyncio.Future[None]":
        if self.refusals:
            self.refusals -= 1
            raise BusUnavailable("full")
        if self.silent and route.key.split(".")[0] != "shard":
            return asyncio.get_running_loop().create_future()
        return cast("asyncio.Future[None]", self._real.publish_nowait(route, event))

    async def commit(self, batch: Any) -> list[bool]:
        if self.away:
            self.away -= 1
            raise Unavailable("the store is away")
        answers = cast(list[bool], await self._real.commit(batch))
        if self.forgotten:
            self.forgotten -= 1
            raise Unavailable("the answer was lost")
        return answers


@dataclass
class House:
    """Everything around one shard. `delivered` and `asked` are what a gateway and an engine have received."""

    url: str
    outside: Bus
    store: SessionStore
    clock: VirtualClock
    delivered: list[Deliver] = field(default_factory=list)
    asked: list[TurnRequested] = field(default_factory=list)
    spans: list[Any] = field(default_factory=list)

    @property
    def events(self) -> list[StreamEvent]:
        """What the gateway was shown, in the order it came."""
        return [event for deliver in self.delivered for event in deliver.events]

    @property
    def accepted(self) -> list[Any]:
        return [accepted for deliver in self.delivered for accepted in deliver.accepted]

    async def publish(self, *events: Any) -> None:
        """As a gateway or an engine would."""
        for event in events:
            self.outside.publish_nowait(to_shard(event, 1), event)
        await asyncio.sleep(0)

    async def answer(self, question: TurnRequested, text: str = "七天内可以退货。") -> None:
        meta = EventMeta(tenant_id=question.meta.tenant_id, session_id=question.meta.session_id)
        reply = Message(text=text, origin="extractive")
        await self.publish(
            TurnCompleted(meta=meta, turn_id=question.turn_id, ownership=question.ownership, reply=reply)
        )

    async def until(self, fact: Callable[[], object]) -> None:
        """Wait for a fact, never for time."""
        async with asyncio.timeout(PATIENCE):
            while not fact():  # noqa: ASYNC110 - the fact has no event
                await asyncio.sleep(0.001)

    async def until_in_time(self, fact: Callable[[], object]) -> None:
        """Wait for a fact while the virtual seconds go by."""
        async with asyncio.timeout(PATIENCE):
            while not fact():
                await self.clock.advance(1.0)
                await asyncio.sleep(0.001)

    async def until_stored(self, fact: Callable[[SessionState], object], key: SessionKey) -> None:
        """Wait until the stored session is like that."""
        async with asyncio.timeout(PATIENCE):
            while not await self.store.load([key]) or not fact(await self.state(*key)):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)

    async def until_parked(self) -> list[str]:
        """Wait for a dead letter; the causes of all."""
        async with asyncio.timeout(PATIENCE):
            while not (causes := await self.causes()):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)
        return causes

    async def state(self, tenant: str, session: str) -> SessionState:
        key = SessionKey(tenant, session)
        record = (await self.store.load([key]))[key]
        return decode(record.state, record.recent_ids)

    async def causes(self) -> list[str]:
        """Of the dead letters."""
        return [parked.letter.cause for parked in await self.outside.dead_letters()]

    @asynccontextmanager
    async def router(
        self, name: str = "r1", *, bus: Faulty | None = None, store: Any = None, **rules: Any
    ) -> AsyncIterator["Router"]:
        """One replica. It drains at the end, unless it was killed."""
        async with open_bus(self.url, service="session-router", replica=name) as own:
            if bus is not None:
                bus._real = own
            ctx: Context[Any] = Context(
                "session-router",
                name,
                PlaceSettings(shards=1),
                cast(Bus, bus or own),
                self.clock,
                Tracing("session-router", *self._sinks(), ratio=0),
                Log("session-router"),
            )
            worker = ShardWorker(ctx, store or self.store, 0, Rules(**rules))
            running = Router(ctx, worker, asyncio.create_task(worker.run()))
            try:
                yield running
                await running.drain()
            finally:
                await running.kill()

    def _sinks(self) -> list[Any]:
        from parley.telemetry import SpanSink

        return [SpanSink("session-router", self.spans.append)]


@dataclass
class Router:
    ctx: Context[Any]
    worker: ShardWorker
    task: "asyncio.Task[None]"

    async def drain(self) -> None:
        """As on SIGTERM."""
        self.ctx.draining.set()
        if not self.task.done():
            async with asyncio.timeout(PATIENCE):
                await self.task

    async def kill(self) -> None:
        """As on kill -9, as far as one process can."""
        while not self.task.done():
            self.task.cancel()  # again and again, so that it cannot even say goodbye
            await asyncio.wait({self.task}, timeout=0.01)


@asynccontextmanager
async def a_house(folder: Path, *, bus_url: str = "", database_url: str = "") -> AsyncIterator[House]:
    """The bus, the store, a gateway `g1` and an engine that only listens; in this process unless URLs are given."""
    url = bus_url or f"memory:{new_id('bus')}"
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(open_bus(url, service="bench", replica="x"))
        await outside.apply_topology(durable_queues(1))
        store = await stack.enter_async_context(open_store(database_url or f"sqlite:///{folder}/parley.db"))
        house = House(url, outside, store, VirtualClock())

        def take(into: list[Any]) -> Callable[[list[Any]], None]:
            def keep(deliveries: list[Any]) -> None:
                for delivery in deliveries:
                    into.append(delivery.event)
                    delivery.settle()

            return keep

        await stack.enter_async_context(outside.subscribe(gateway_replica("g1"), take(house.delivered)))
        await stack.enter_async_context(outside.subscribe(USER_TO_ENGINE, take(house.asked)))
        yield house
