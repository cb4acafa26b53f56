"""Wires the ai-engine: turns in, outcomes out, questions to knowledge."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc.aio

from parley.bus.queues import EVENTS, Queue, engine_replica, user_to_engine
from parley.contracts.v1 import (
    KnowledgeStub,
    TurnCancelled,
    TurnJoined,
    TurnRequested,
    UsageRecorded,
    add_EngineServicer_to_server,
)
from parley.core import Later, Reject, Unavailable
from parley.service import Context, Service
from parley.service.grpc import connect
from parley_ai_engine.costs.store import CostStore, open_costs
from parley_ai_engine.costs.usage import Usage
from parley_ai_engine.grpc import EngineQuestions
from parley_ai_engine.guards.outgoing import Outgoing
from parley_ai_engine.pipeline.answering import Answerer
from parley_ai_engine.pipeline.evidence import KnowledgeService
from parley_ai_engine.pipeline.prompts import Prompts
from parley_ai_engine.routes import open_ladder
from parley_ai_engine.settings import EngineSettings, ModelSettings
from parley_ai_engine.turns import Turns

BOOKS_AGAIN_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Deps:
    """What the engine works with."""

    answerer: Answerer
    turns: Turns
    costs: CostStore


@asynccontextmanager
async def open_deps(ctx: Context[Any]) -> AsyncIterator[Deps]:
    """A channel to knowledge, the books, and the models when there are any."""
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(connect(ctx.settings.grpc_target("knowledge")))
        settings = EngineSettings.load()
        costs = await stack.enter_async_context(open_costs(ctx.settings.database()))
        ladder = await stack.enter_async_context(
            open_ladder(settings, ModelSettings.load(), ctx.clock, ctx.settings.cache_url, book(ctx), costs)
        )
        prompts, outgoing = Prompts(settings.prompts), Outgoing.read(settings.words, settings.links)
        answerer = Answerer(KnowledgeService(KnowledgeStub(channel)), ladder, settings, prompts, outgoing)
        yield Deps(answerer, Turns(ctx, answerer), costs)


def book(ctx: Context[Any]) -> Callable[[Usage], None]:
    """Every call to a model is a fact on the bus: the broker keeps it until it stands in the books."""

    def tell(usage: Usage) -> None:
        told = ctx.publish_nowait(usage.event())
        told.add_done_callback(lambda done: done.cancelled() or done.exception())

    return tell


service = Service("ai-engine", Deps, opens=open_deps)


def _turn_queue(ctx: Context[Any]) -> Queue[TurnRequested]:
    return user_to_engine(EngineSettings.load().group)


def _own_queue(ctx: Context[Any]) -> Queue[TurnCancelled | TurnJoined]:
    return engine_replica(ctx.replica)


@service.consumes(_turn_queue, concurrency=lambda _: EngineSettings.load().concurrency)
async def answer(event: TurnRequested, ctx: Context[Deps]) -> None:
    """Answer one turn."""
    await ctx.deps.turns.take(event)


@service.consumes(_own_queue)
async def hear(event: TurnCancelled | TurnJoined, ctx: Context[Deps]) -> None:
    """Stop a turn that nobody waits for, or show a running one to somebody new."""
    if isinstance(event, TurnCancelled):
        ctx.deps.turns.cancel(event.turn_id)
    else:
        ctx.deps.turns.join(event.turn_id, event.gateway_id)


@service.observes(EVENTS, TurnCancelled, per="replica")
async def leave(event: TurnCancelled, ctx: Context[Deps]) -> None:
    """Nobody knows yet who works on a turn of which nothing was shown, or who will: so every replica hears of it."""
    ctx.deps.turns.cancel(event.turn_id)


@service.observes(EVENTS, UsageRecorded)
async def keep(event: UsageRecorded, ctx: Context[Deps]) -> None:
    """Write one call into the books. The record's own id is unique there, so a repeat changes nothing."""
    try:
        await ctx.deps.costs.add(Usage.from_event(event))
    except ValueError as error:
        raise Reject(str(error)) from error
    except Unavailable as error:
        raise Later(f"the books cannot be written: {error}", after=BOOKS_AGAIN_SECONDS) from error


def _serve(ctx: Context[Deps], server: grpc.aio.Server) -> None:
    add_EngineServicer_to_server(EngineQuestions(ctx.deps.answerer, ctx.clock, ctx.deps.costs), server)


service.serves(_serve)
