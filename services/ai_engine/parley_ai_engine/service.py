"""Wires the ai-engine: turns in, outcomes out, questions to knowledge."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio

from parley.bus.queues import EVENTS, Queue, engine_replica, user_to_engine
from parley.contracts.v1 import (
    KnowledgeStub,
    TurnCancelled,
    TurnJoined,
    TurnRequested,
    add_EngineServicer_to_server,
)
from parley.service import Context, Service
from parley.service.grpc import connect
from parley_ai_engine.grpc import Suggestions
from parley_ai_engine.guards.outgoing import Outgoing
from parley_ai_engine.pipeline.answering import Answerer
from parley_ai_engine.pipeline.evidence import KnowledgeService
from parley_ai_engine.pipeline.prompts import Prompts
from parley_ai_engine.routes import open_ladder
from parley_ai_engine.settings import EngineSettings, ModelSettings
from parley_ai_engine.turns import Turns


@dataclass(frozen=True)
class Deps:
    """What the engine works with."""

    answerer: Answerer
    turns: Turns


@asynccontextmanager
async def open_deps(ctx: Context[Any]) -> AsyncIterator[Deps]:
    """A channel to knowledge, and the model when there is one."""
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(connect(ctx.settings.grpc_target("knowledge")))
        settings = EngineSettings.load()
        ladder = await stack.enter_async_context(
            open_ladder(settings, ModelSettings.load(), ctx.clock, ctx.settings.cache_url)
        )
        prompts, outgoing = Prompts(settings.prompts), Outgoing.read(settings.words, settings.links)
        answerer = Answerer(KnowledgeService(KnowledgeStub(channel)), ladder, settings, prompts, outgoing)
        yield Deps(answerer, Turns(ctx, answerer))


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


def _serve(ctx: Context[Deps], server: grpc.aio.Server) -> None:
    add_EngineServicer_to_server(Suggestions(ctx.deps.answerer, ctx.clock), server)


service.serves(_serve)
