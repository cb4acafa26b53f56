"""Publishing: one confirmed batch a route at a time, tried again until the broker has said yes or no.

A publish without an answer is unknown, so the same batch is published again: its readers refuse repeats by event.
"""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError, PublishError

from parley.bus.adapters.rabbit.frames import HEADER_TRACE, properties_of
from parley.bus.adapters.rabbit.link import FAILURES, Link, client_calls, log
from parley.bus.batching import Batches, Outbound
from parley.bus.events import Event, Packed
from parley.bus.port import DEAF_SECONDS
from parley.bus.queues import EVENTS, EXCHANGES, Route
from parley.core import BusUnavailable, Unroutable
from parley.telemetry import counter, histogram, names

ATTEMPT_SECONDS = 15.0  # then the outcome of this attempt is unknown
PREVIEW_SECONDS = 2.0  # for what need not arrive
RETRY_SECONDS = 0.2
REFUSED_SECONDS = 0.1  # after a nack: the queue is full, or its leader has just died
CLOSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Open:
    """An open channel and what lies under it, which publishes at a third of the cost."""

    channel: AbstractChannel
    underlay: Any  # aiormq's channel


class Publisher:
    """The publishing half of the bus."""

    def __init__(self, link: Link, producer: str) -> None:
        self._link = link
        self._batches = Batches(self._transmit, producer)
        self._tasks: set[asyncio.Task[None]] = set()
        self._channels: dict[bool, _Open] = {}  # by whether it confirms
        self._opening = asyncio.Lock()
        self._closed = False
        self._unheard: dict[Route, float] = {}  # facts that found no queue, until when that is believed
        service = producer.rpartition("-")[0]
        self._published = {e.name: counter(names.EVENTS_PUBLISHED, service, e.name) for e in EXCHANGES}
        self._sizes = histogram(names.BATCH_EVENTS, service)

    def pack(self, event: Event) -> Packed:
        """See the port."""
        return self._batches.pack(event)

    def heard(self, route: Route) -> bool:
        """See the port. The broker returns what no queue takes, so a fact that comes back has no reader."""
        return time.monotonic() >= self._unheard.get(route, 0.0)

    def put(self, route: Route, event: Event | Packed) -> asyncio.Future[None]:
        """See the port."""
        if self._closed:
            raise BusUnavailable("the bus is closed")
        return self._batches.put(route, event)

    async def close(self, seconds: float = 5.0) -> None:
        """Let what is under way be confirmed; what is not by then has an unknown outcome."""
        deadline = time.monotonic() + seconds
        while (confirms := self._batches.open()) and self._link.connected and (left := deadline - time.monotonic()) > 0:
            await asyncio.wait(confirms, timeout=min(1.0, left))
        self._closed = True
        self._batches.close(BusUnavailable("the bus was closed first"))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _transmit(self, batch: Outbound) -> None:
        task = asyncio.create_task(self._send(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, batch: Outbound) -> None:
        error: BaseException | None = None
        try:
            await (self._until_answered(batch) if batch.route.durable else self._once(batch))
        except (Unroutable, BusUnavailable) as refused:
            error = refused
        except asyncio.CancelledError:
            error = BusUnavailable("the bus was closed first")
        if error is None:
            count = batch.count
            self._published.get(batch.route.exchange.name, self._published["events"]).inc(count)
            self._sizes.observe(count)
        self._batches.done(batch, error)

    async def _until_answered(self, batch: Outbound) -> None:
        """Attempt after attempt. Ends with a confirm, or with Unroutable."""
        body = batch.events.SerializeToString()
        refused = False
        while True:
            used: _Open | None = None
            try:
                await self._link.writable()
                with client_calls():
                    async with asyncio.timeout(ATTEMPT_SECONDS):
                        used = await self._channel(confirmed=True)
                        await self._publish(used, batch, body)
                return
            except PublishError:
                route = batch.route
                if route.mandatory:
                    raise Unroutable(f"no queue takes {route.exchange.name}:{route.key}") from None
                self._unheard[route] = time.monotonic() + DEAF_SECONDS
                return
            except DeliveryError:
                if not refused:
                    refused = True
                    log.warning("publish.refused", key=batch.route.key, events=batch.count)
                await asyncio.sleep(REFUSED_SECONDS)
            except FAILURES as error:
                log.warning("publish.unknown", key=batch.route.key, error=f"{type(error).__name__}: {error}")
                await self._give_up(used, confirmed=True)
                await asyncio.sleep(RETRY_SECONDS)

    async def _once(self, batch: Outbound) -> None:
        """A preview: sent when the broker is there and reads, dropped when it is not."""
        if not self._link.connected:
            raise BusUnavailable("not connected")
        body = batch.events.SerializeToString()
        used: _Open | None = None
        try:
            with client_calls():
                async with asyncio.timeout(PREVIEW_SECONDS):
                    await self._link.writable()
                    used = await self._channel(confirmed=False)
                    await self._publish(used, batch, body)
        except FAILURES as error:
            await self._give_up(used, confirmed=False)
            raise BusUnavailable(f"not sent: {type(error).__name__}") from None

    async def _publish(self, used: _Open, batch: Outbound, body: bytes) -> None:
        route = batch.route
        traced = batch.traceparent.endswith("01")
        headers = {HEADER_TRACE: batch.traceparent} if traced else None  # every header costs each reader a decode
        await used.underlay.basic_publish(
            body,
            exchange=route.exchange.name,
            routing_key=route.key,
            properties=properties_of(durable=route.durable, headers=headers),
            mandatory=route.durable and (route.mandatory or route.exchange == EVENTS),
            wait=not route.durable,  # until it is written; a confirm says more than that
        )

    async def _channel(self, *, confirmed: bool) -> _Open:
        used = self._channels.get(confirmed)
        if used is not None and not used.channel.is_closed:
            return used
        async with self._opening:
            used = self._channels.get(confirmed)
            if used is None or used.channel.is_closed:
                connection = await self._link.connection()
                channel = connection.channel(publisher_confirms=confirmed, on_return_raises=confirmed)
                await channel.initialize()
                used = self._channels[confirmed] = _Open(channel, await channel.get_underlay_channel())
            return used

    async def _give_up(self, used: _Open | None, *, confirmed: bool) -> None:
        """Close the channel of an attempt: its open confirms are unknown. Not a newer one that others use by now."""
        if used is None or self._channels.get(confirmed) is not used:
            return
        del self._channels[confirmed]
        if not used.channel.is_closed:
            with contextlib.suppress(*FAILURES), client_calls():
                async with asyncio.timeout(CLOSE_SECONDS):
                    await used.channel.close()
