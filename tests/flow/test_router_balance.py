"""Several routers share the shards out between them while visitors write, and nobody's messages change their order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from parley.bus.open import open_bus
from parley.bus.queues import EVENTS, durable_queues, replica_observer
from parley.bus.routes import to_shard
from parley.contracts.v1 import RouterSeen, StreamEvent
from parley.core import SystemClock, new_id, shard_of
from parley.core.settings import PlaceSettings
from parley.service import Context
from parley.telemetry import Log, Tracing
from parley.testing.builders import a_message_received
from parley_session_router.machine import Rules
from parley_session_router.shards import balance
from parley_session_router.shards.balance import Balance
from parley_session_router.shards.worker import ShardWorker
from parley_session_router.store import SessionKey, SessionStore, open_store

SHARDS = 8
SESSIONS = [f"ses_访客{number}" for number in range(24)]
NAMES = ("路由甲", "路由乙", "路由丙")


@dataclass
class Replica:
    ctx: Context[Any]
    workers: list[ShardWorker]

    @property
    def owned(self) -> set[int]:
        return {worker.shard for worker in self.workers if worker.owns}


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balance, "ANNOUNCE_SECONDS", 0.05)
    monkeypatch.setattr(balance, "SETTLED_SECONDS", 0.2)
    monkeypatch.setattr(balance, "GONE_SECONDS", 2.0)
    monkeypatch.setattr(balance, "MOVE_SECONDS", 0.01)
    monkeypatch.setattr(balance, "LONGEST_SECONDS", 0.2)


@asynccontextmanager
async def a_replica(name: str, url: str, store: SessionStore) -> AsyncIterator[Replica]:
    async with open_bus(url, service="session-router", replica=name) as bus:
        settings, log = PlaceSettings(shards=SHARDS), Log("session-router")
        tracing = Tracing("session-router", ratio=0)
        ctx: Context[Any] = Context("session-router", name, settings, bus, SystemClock(), tracing, log)
        workers = [ShardWorker(ctx, store, shard, Rules()) for shard in range(SHARDS)]
        keeper = Balance(ctx)

        def take(deliveries: list[Any]) -> None:
            for delivery in deliveries:
                keeper.hear(delivery.event)
                delivery.settle()

        async with bus.subscribe(replica_observer("session-router", name, EVENTS, RouterSeen), take):
            tasks = [asyncio.create_task(worker.run()) for worker in workers]
            tasks.append(asyncio.create_task(keeper.keep(workers)))
            yield Replica(ctx, workers)
            ctx.draining.set()
            async with asyncio.timeout(10):
                await asyncio.gather(*tasks)


async def until(fact: Any) -> None:
    async with asyncio.timeout(20):
        while not fact():  # noqa: ASYNC110 - the fact has no event
            await asyncio.sleep(0.005)


async def texts(store: SessionStore, session: str) -> list[str]:
    history = await store.history(SessionKey("shop", session), limit=1000)
    events = [StreamEvent.FromString(entry.payload) for entry in history.entries] if history else []
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [event.message.text for event in events if event.message.text]


async def test_one_router_then_three_then_one_share_the_shards_and_keep_every_order(tmp_path: Path) -> None:
    url, sent = f"memory:{new_id('bus')}", 0
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(open_bus(url, service="bench", replica="x"))
        await outside.apply_topology(durable_queues(SHARDS))
        store = await stack.enter_async_context(open_store(f"sqlite:///{tmp_path}/parley.db"))
        writing = True

        async def write() -> None:
            nonlocal sent
            while writing:
                for session in SESSIONS:
                    event = a_message_received(f"第 {sent} 条", tenant="shop", session=session, external_id=f"{sent}")
                    outside.publish_nowait(to_shard(event, SHARDS), event)
                sent += 1
                await asyncio.sleep(0.01)  # the visitors' own pace

        visitors = asyncio.create_task(write())
        first = await stack.enter_async_context(a_replica(NAMES[0], url, store))
        await until(lambda: len(first.owned) == SHARDS)
        async with AsyncExitStack() as more:
            others = [await more.enter_async_context(a_replica(name, url, store)) for name in NAMES[1:]]
            routers = balance.Routers(NAMES[0], 0.0)
            for name in NAMES[1:]:
                routers.hear(name, 0.0, leaving=False)
            wanted = {name: {s for s in range(SHARDS) if routers.preferred(s) == name} for name in NAMES}
            await until(lambda: [r.owned for r in (first, *others)] == [wanted[name] for name in NAMES])
        await until(lambda: len(first.owned) == SHARDS)
        writing = False
        await visitors
        for session in SESSIONS:
            assert shard_of("shop", session, SHARDS) in first.owned
            async with asyncio.timeout(20):
                while len(await texts(store, session)) < sent:  # noqa: ASYNC110 - the store has no event
                    await asyncio.sleep(0.01)
            assert await texts(store, session) == [f"第 {number} 条" for number in range(sent)]
