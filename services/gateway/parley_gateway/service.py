"""Wires the gateway: one HTTP port, one private queue, questions to the other services."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from parley.bus import EVENTS, Delivery, Subscription
from parley.bus.queues import gateway_replica
from parley.contracts.v1 import (
    AccessStub,
    Deliver,
    KeyRevoked,
    MediaStub,
    ReplyChunk,
    SessionsStub,
    SpansFinished,
)
from parley.service import Context, Service
from parley.service.grpc import connect
from parley.service.health import serve_http
from parley.service.spans import STORE
from parley.telemetry import Log, names, record
from parley_gateway.access import Access
from parley_gateway.app import build_app
from parley_gateway.desk import Desk
from parley_gateway.door import networks_of
from parley_gateway.inbox import Inbox
from parley_gateway.limits import RateLimit
from parley_gateway.media import MediaDesk
from parley_gateway.realtime.connection import attach
from parley_gateway.realtime.crowd import Crowd
from parley_gateway.realtime.server import Http, Protocol
from parley_gateway.realtime.socket_io import open_socket_io
from parley_gateway.realtime.streams import Streams
from parley_gateway.settings import GatewaySettings

BACKLOG = 4096
DRAIN_SPREAD = 0.5  # of drain_seconds, over which visitors are sent to other replicas
WATCH_SECONDS = 0.1  # between looks at our queue; the bus takes longer than this to open it again


@dataclass(frozen=True)
class Deps:
    """What the gateway works with."""

    settings: GatewaySettings
    desk: Desk
    crowd: Crowd
    reading: asyncio.Event = field(default_factory=asyncio.Event)  # set when what is meant for us reaches us
    emptied: asyncio.Event = field(default_factory=asyncio.Event)  # set when the last visitor has left


@asynccontextmanager
async def open_deps(ctx: Context[Any]) -> AsyncIterator[Deps]:
    """Channels to the router and to media, and what all connections share."""
    settings = GatewaySettings.load()
    networks_of(settings.trusted_proxies)  # a slip shows at the start
    async with AsyncExitStack() as stack:
        router = await stack.enter_async_context(connect(ctx.settings.grpc_target("session-router")))
        media = await stack.enter_async_context(connect(ctx.settings.grpc_target("media")))
        streams = Streams(ctx.tracing)
        desk = Desk(
            ctx=ctx,
            settings=settings,
            streams=streams,
            inbox=Inbox(ctx, streams, text_chars=settings.text_chars),
            access=Access(AccessStub(router), ctx.clock),
            sessions=SessionsStub(router),
            media=MediaDesk(MediaStub(media)),
            rates=RateLimit(settings.messages_per_second, settings.messages_burst),
            newcomers=RateLimit(settings.newcomers_per_second, settings.newcomers_burst),
            arrivals=RateLimit(settings.arrivals_per_second, settings.arrivals_burst),
            tenants=RateLimit(settings.tenant_messages_per_second, settings.tenant_messages_burst),
            log=Log("gateway"),
        )
        yield Deps(settings, desk, Crowd(desk))


service = Service("gateway", Deps, opens=open_deps)


@service.observes(EVENTS, SpansFinished, per="replica")
async def remember_spans(event: SpansFinished, ctx: Context[Deps]) -> None:
    """Keep what other processes recorded, so that a trace can be read here."""
    STORE.add(event.spans)


@service.observes(EVENTS, KeyRevoked, per="replica")
async def forget_key(event: KeyRevoked, ctx: Context[Deps]) -> None:
    """A revoked key is refused from now on, and whoever is connected by a revoked signing key is sent away."""
    ctx.deps.desk.access.forget_key(event.key_id)
    ctx.deps.crowd.check_tokens()


@service.runs
async def read_replies(ctx: Context[Deps]) -> None:
    """Take what is meant for the visitors connected here; deliveries need no task each."""
    streams = ctx.deps.desk.streams

    def take(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            event = delivery.event
            if isinstance(event, Deliver):
                _note_wait(ctx, event, delivery)
                streams.deliver(event)
            elif isinstance(event, ReplyChunk):
                streams.chunk(event)
            delivery.settle()

    async with ctx.bus.subscribe(gateway_replica(ctx.replica), take, prefetch=256) as subscription:
        ctx.deps.reading.set()
        watching = asyncio.create_task(watch(ctx, subscription))
        emptied = asyncio.create_task(ctx.deps.emptied.wait())  # the last visitor's replies are still told
        either: set[asyncio.Future[Any]] = {emptied, subscription.lost}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if subscription.lost.done():
                subscription.lost.result()
        finally:
            watching.cancel()
            emptied.cancel()


async def watch(ctx: Context[Deps], subscription: Subscription, every: float = WATCH_SECONDS) -> None:
    """Tell the router again what is shown here, whenever our queue was gone: it has forgotten us then."""
    gone = False
    while True:
        await asyncio.sleep(every)
        if not subscription.consuming:
            gone = True
        elif gone:
            gone = False
            ctx.deps.desk.streams.detach_all()
            attach_all(ctx.deps.desk)


def attach_all(desk: Desk) -> None:
    """Tell the router of every session that it does not know to be shown here."""
    for key in desk.streams.unattached():
        attach(desk, key)


@service.runs
async def serve_visitors(ctx: Context[Deps]) -> None:
    """The public port, until the drain: then visitors are sent away, in small groups."""
    deps = ctx.deps
    await deps.reading.wait()
    options: dict[str, Any] = {
        "http": Http,
        "ws": Protocol,
        "ws_max_size": deps.settings.frame_bytes,
        "ws_per_message_deflate": False,
        "ws_ping_interval": None,
        "backlog": BACKLOG,
        "server_header": False,
        "proxy_headers": False,
        "date_header": False,
        "h11_max_incomplete_event_size": 16_384,
    }
    where: dict[str, Any] = {"host": deps.settings.host, "port": deps.settings.port, "variable": "PARLEY_GATEWAY_PORT"}
    async with (
        open_socket_io(deps.desk, deps.crowd) as socket_io,
        serve_http(build_app(deps.desk, deps.crowd, socket_io, STORE), **where, **options),
    ):
        ctx.log.info("gateway.listening", port=deps.settings.port)
        pinging, draining = asyncio.create_task(_ping(deps)), asyncio.create_task(ctx.draining.wait())
        try:
            either: set[asyncio.Future[Any]] = {pinging, draining}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if pinging.done():
                pinging.result()
        finally:
            pinging.cancel()
            draining.cancel()
        await deps.crowd.drain(ctx.settings.drain_seconds * DRAIN_SPREAD if not ctx.settings.demo else 0)
        deps.emptied.set()


async def _ping(deps: Deps) -> None:
    while True:
        await asyncio.sleep(deps.settings.ping_seconds)
        attach_all(deps.desk)
        await deps.desk.access.look_at_keys()
        deps.crowd.check_all()
        deps.desk.streams.forget_stale(deps.desk.ctx.clock.monotonic())


def _note_wait(ctx: Context[Any], event: Deliver, delivery: Delivery) -> None:
    if not event.meta.traceparent.endswith("01"):
        return
    published = event.meta.occurred_at.seconds + event.meta.occurred_at.nanos / 1e9
    context = ctx.tracing.follow(event.meta.traceparent)
    record(names.WAIT_IN_QUEUE, published, delivery.received_at or time.time(), context=context, kind="consumer")
