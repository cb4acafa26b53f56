"""The port of the bus: what services may count on, whichever broker is behind it.

Publishing: `publish_nowait` never blocks; what is published to one route within one turn of the loop, or while the
previous batch to it is being confirmed, leaves together as one batch. Per route one batch is under way at a time, so
that a retry can never overtake: events of one route arrive in the order they were published.

Reading: deliveries come in queue order to one synchronous callback. Each is settled by its reader exactly once; what is
not settled when the reader goes away is delivered again, its order kept.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from parley.bus.events import Event, Packed
from parley.bus.queues import Queue, Route
from parley.contracts.v1 import DeadLetter

DEAF_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Features:
    """What an adapter can do; the contract suite asks for no more."""

    durable: bool  # confirmed events survive the crash of the broker process
    ordered_by_key: bool
    survives_restart: bool  # events wait while no process of ours runs


class Delivery(Protocol):
    """One event in a reader's hand."""

    @property
    def event(self) -> Event | None:
        """The event; None when its bytes could not be read (see `problem`)."""
        ...

    @property
    def problem(self) -> str:
        """Why the bytes could not be read; empty when they could."""
        ...

    @property
    def raw(self) -> bytes:
        """The bytes as they came, for the dead-letter desk."""
        ...

    @property
    def route(self) -> Route:
        """Where it was published to."""
        ...

    @property
    def redelivered(self) -> int:
        """How often it has been delivered before, as far as the broker knows."""
        ...

    @property
    def received_at(self) -> float:
        """Unix seconds when it reached this process."""
        ...

    def settle(self) -> None:
        """Done with it, for good. Idempotent; without effect once its reader is closed."""
        ...


OnDeliveries = Callable[[list[Delivery]], None]


class Subscription(Protocol):
    """An open reader of one queue."""

    def pause(self) -> None:
        """Take no more deliveries, keep what is in hand: the first half of a graceful leave."""
        ...

    @property
    def consuming(self) -> bool:
        """Whether the broker would deliver to us now."""
        ...

    @property
    def lost(self) -> asyncio.Future[None]:
        """Ends with an error when this queue cannot be read any more and only a new process can help."""
        ...


class Bus(Protocol):
    """A connection to the broker, for one service. Opened by `parley.bus.open_bus`."""

    @property
    def features(self) -> Features:
        """What this adapter can do."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the broker answers now; readiness depends on it."""
        ...

    def pack(self, event: Event) -> Packed:
        """The bytes to store of an event that is published later, and perhaps again."""
        ...

    def heard(self, route: Route) -> bool:
        """Whether a fact on this route may have a reader. False is at most `DEAF_SECONDS` old."""
        ...

    def publish_nowait(self, route: Route, event: Event | Packed) -> asyncio.Future[None]:
        """Hand over one event. The future is shared by its batch and ends when the broker has confirmed it.

        It raises Unroutable when no queue took it, BusUnavailable when too much waits already (nothing was taken) or
        when the bus is closed first (outcome unknown). Until then it is retried for as long as the broker is away.
        """
        ...

    async def publish(self, route: Route, event: Event, *, timeout: float = 10.0) -> None:
        """Like `publish_nowait`, awaited. After `timeout` seconds BusUnavailable: unknown, so publish it again."""
        ...

    def subscribe(
        self, queue: Queue[Event], on_deliveries: OnDeliveries, *, prefetch: int = 64
    ) -> AbstractAsyncContextManager[Subscription]:
        """Read a queue, at most `prefetch` unsettled batches in hand. PRIVATE queues are made and go with the reader.

        Leaving the context closes the channel: what is unsettled goes back. Settle or finish everything first.
        """
        ...

    async def apply_topology(self, queues: list[Queue[Event]]) -> list[str]:
        """Declare exchanges, queues and bindings; returns what was made. Raises Conflict naming what differs."""
        ...

    async def check_topology(self, queues: list[Queue[Event]]) -> list[str]:
        """What is missing or differs, one sentence each; empty when all is well. Changes nothing."""
        ...

    async def dead_letters(self, limit: int = 100) -> list["ParkedLetter"]:
        """Look at the dead letters without taking them."""
        ...

    async def take_dead_letter(self, letter_id: str) -> DeadLetter | None:
        """Take one away for good, after it was replayed or dropped; None when it is gone already."""
        ...


@dataclass(frozen=True, slots=True)
class ParkedLetter:
    """A dead letter as the desk lists it."""

    letter_id: str
    letter: DeadLetter
