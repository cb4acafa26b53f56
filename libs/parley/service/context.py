"""What a handler is given: the bus, the clock, its dependencies, and the trace it works in."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from parley.bus import Bus, Event, Route
from parley.bus.routes import route_of
from parley.contracts.v1 import SendMessage
from parley.core import Clock, Invalid
from parley.core.settings import PlaceSettings
from parley.telemetry import Log, Tracing, current_traceparent

D = TypeVar("D")


@dataclass(slots=True)
class Handling:
    """The event that a handler works on, and what it has published that is not confirmed yet."""

    event: Event
    owed: list[asyncio.Future[None]] = field(default_factory=list)
    over: bool = False  # what a task that outlives its handler publishes is its own affair


_handling: ContextVar[Handling | None] = ContextVar("parley_handling", default=None)


@dataclass
class Context(Generic[D]):
    """One running replica of a service, as its handlers see it."""

    service: str
    replica: str
    settings: PlaceSettings
    bus: Bus
    clock: Clock
    tracing: Tracing
    log: Log
    deps: D = None  # type: ignore[assignment]  # set once `opens` has made them
    draining: asyncio.Event = field(default_factory=asyncio.Event)
    checks: dict[str, Callable[[], Awaitable[str]]] = field(default_factory=dict)

    def ready_when(self, name: str, check: Callable[[], Awaitable[str]]) -> None:
        """Readiness also needs `check`: it returns why not, or the empty string."""
        self.checks[name] = check

    async def publish(self, event: Event, route: Route | None = None, *, timeout: float = 10.0) -> None:
        """Publish to `route`, or to the place that this type of event goes to. Returns once it is confirmed.

        What the event does not say of itself is taken from the event being handled: tenant, session, cause, trace.
        Raises Unroutable, BusUnavailable.
        """
        self.complete(event)
        await self.bus.publish(route or route_of(event, self.settings.shards), event, timeout=timeout)

    def publish_nowait(self, event: Event, route: Route | None = None) -> asyncio.Future[None]:
        """Like `publish`, without waiting: the event being handled is settled after the confirm, or handled again."""
        self.complete(event)
        chosen = route or route_of(event, self.settings.shards)
        confirmed = self.bus.publish_nowait(chosen, event)
        if chosen.durable and (handling := _handling.get()) is not None and not handling.over:
            handling.owed.append(confirmed)
        return confirmed

    def complete(self, event: Event) -> None:
        """Fill in what the event being handled knows. Raises Invalid when an event is left without tenant."""
        meta, handling = event.meta, _handling.get()
        cause = handling.event if handling is not None else None
        if isinstance(event, SendMessage) and not meta.session_id:
            meta.session_id = event.session_id
        if cause is not None:
            meta.tenant_id = meta.tenant_id or cause.meta.tenant_id
            meta.session_id = meta.session_id or cause.meta.session_id
            meta.causation_id = meta.causation_id or cause.meta.event_id
        if not meta.tenant_id:
            raise Invalid(f"{type(event).__name__} has no meta.tenant_id and no event is being handled to take it from")
        meta.traceparent = meta.traceparent or current_traceparent()
