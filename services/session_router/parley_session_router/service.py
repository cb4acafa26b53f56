"""Wires the session-router: one worker a shard, questions about sessions, and who may come in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio

from parley.bus.queues import EVENTS, replica_observer
from parley.contracts.v1 import RouterSeen, add_AccessServicer_to_server, add_SessionsServicer_to_server
from parley.service import Context, Service
from parley_session_router.access import Access, AccessQuestions, AccessStore, ensure_demo, open_access
from parley_session_router.grpc import SessionQuestions
from parley_session_router.machine import Rules
from parley_session_router.settings import RouterSettings
from parley_session_router.shards.balance import Balance
from parley_session_router.shards.worker import ShardWorker
from parley_session_router.store import SessionStore, open_store


@dataclass(frozen=True)
class Deps:
    """What the router works with."""

    store: SessionStore
    access: AccessStore
    rules: Rules
    cached: int  # sessions of one shard that are kept at hand
    balance: Balance


@asynccontextmanager
async def open_deps(ctx: Context[Any]) -> AsyncIterator[Deps]:
    """The database, checked against the installation's number of shards."""
    settings = RouterSettings.load()
    url = ctx.settings.database()
    async with open_store(url) as store, open_access(url) as access:
        await store.check_shards(ctx.settings.shards)
        if ctx.settings.demo:
            await ensure_demo(Access(access, ctx.clock), ctx.settings.home)
        cached = max(1, settings.cached_sessions // ctx.settings.shards)
        yield Deps(store, access, settings.rules(), cached, Balance(ctx))


service = Service("session-router", Deps, opens=open_deps)


@service.runs
async def own_shards(ctx: Context[Deps]) -> None:
    """Every replica stands in line for every shard; the broker says who is first."""
    deps = ctx.deps
    shards = range(ctx.settings.shards)
    workers = [ShardWorker(ctx, deps.store, shard, deps.rules, cached=deps.cached) for shard in shards]
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(worker.run())
        group.create_task(deps.balance.keep(workers))


@service.consumes(lambda ctx: replica_observer("session-router", ctx.replica, EVENTS, RouterSeen))
async def hear_routers(event: RouterSeen, ctx: Context[Deps]) -> None:
    """Another replica lives, or leaves."""
    ctx.deps.balance.hear(event)


def _serve(ctx: Context[Deps], server: grpc.aio.Server) -> None:
    add_SessionsServicer_to_server(SessionQuestions(ctx.deps.store), server)
    add_AccessServicer_to_server(AccessQuestions(ctx), server)


service.serves(_serve)
