"""Publishing: one confirmed batch a route at a time, tried again until the broker has said yes or no.

A publish without an answer is unknown, so the same batch is published again: its readers refuse repeats by event.
"""

import asyncio
import contextlib
import itertools
import time
import uuid

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, DeliveryMode
from aio_pika.exceptions import DeliveryError, PublishError

from parley.bus.adapters.rabbit.link import FAILURES, Link, log
from parley.bus.batching import Batches, Outbound
from parley.bus.events import Event
from parley.bus.queues import Route
from parley.bus.stamping import stamp
from parley.contracts.v1 import Batch
from parley.core import BusUnavailable, Unroutable
from parley.telemetry import counter, histogram, names

ATTEMPT_SECONDS = 15.0  # then the outcome of this attempt is unknown
RETRY_SECONDS = 0.2
REFUSED_SECONDS = 0.1  # after a nack: the queue is full, or its leader has just died


class Publisher:
    """The publishing half of the bus."""

    def __init__(self, link: Link, producer: str) -> None:
        self._link = link
        self._producer = producer
        self._batches = Batches(self._transmit)
        self._tasks: set[asyncio.Task[None]] = set()
        self._channels: dict[bool, AbstractChannel] = {}
        self._exchanges: dict[tuple[bool, str], AbstractExchange] = {}
        self._opening = asyncio.Lock()
        self._closed = False
        self._life = uuid.uuid4().hex
        self._attempts = itertools.count()
        service = producer.rpartition("-")[0]
        self._published = {name: counter(names.EVENTS_PUBLISHED, service, name) for name in _EXCHANGES}
        self._sizes = histogram(names.BATCH_EVENTS, service)

    def put(self, route: Route, event: Event) -> asyncio.Future[None]:
        """See the port."""
        if self._closed:
            raise BusUnavailable("the bus is closed")
        stamp(event, self._producer)
        return self._batches.put(route, event)

    async def close(self, seconds: float = 5.0) -> None:
        """Let what is under way be confirmed; what is not by then has an unknown outcome."""
        deadline = time.monotonic() + seconds
        while self._tasks and time.monotonic() < deadline and self._link.connected:
            await asyncio.wait(set(self._tasks), timeout=deadline - time.monotonic())
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
        count = len(batch.envelopes)
        if error is None:
            self._published.get(batch.route.exchange.name, self._published["events"]).inc(count)
            self._sizes.observe(count)
        self._batches.done(batch, error)

    async def _until_answered(self, batch: Outbound) -> None:
        """Attempt after attempt. Ends with a confirm, or with Unroutable."""
        body = Batch(events=batch.envelopes).SerializeToString()
        while True:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    exchange = await self._exchange(batch.route, confirmed=True)
                    await self._publish(exchange, batch, body)
                return
            except PublishError:
                route = batch.route
                raise Unroutable(f"no queue takes {route.exchange.name}:{route.key}") from None
            except DeliveryError:
                await asyncio.sleep(REFUSED_SECONDS)
            except FAILURES as error:
                log.warning("publish.unknown", key=batch.route.key, error=f"{type(error).__name__}: {error}")
                await self._reset(confirmed=True)
                await asyncio.sleep(RETRY_SECONDS)

    async def _once(self, batch: Outbound) -> None:
        """A preview: sent when the broker is there, dropped when it is not."""
        if not self._link.connected:
            raise BusUnavailable("not connected")
        body = Batch(events=batch.envelopes).SerializeToString()
        try:
            async with asyncio.timeout(2):
                await self._publish(await self._exchange(batch.route, confirmed=False), batch, body)
        except FAILURES as error:
            await self._reset(confirmed=False)
            raise BusUnavailable(f"not sent: {type(error).__name__}") from None

    async def _publish(self, exchange: AbstractExchange, batch: Outbound, body: bytes) -> None:
        route = batch.route
        message = aio_pika.Message(
            body,
            # Unique per attempt: returns are matched by it, and one id twice on a channel is a false success.
            message_id=f"{self._life}.{next(self._attempts)}",
            delivery_mode=DeliveryMode.PERSISTENT if route.durable else DeliveryMode.NOT_PERSISTENT,
            headers={"traceparent": batch.traceparent} if batch.traceparent else {},
            content_type="application/x-protobuf; messageType=parley.contracts.v1.Batch",
        )
        await exchange.publish(message, route.key, mandatory=route.mandatory and route.durable)

    async def _exchange(self, route: Route, *, confirmed: bool) -> AbstractExchange:
        key = (confirmed, route.exchange.name)
        channel = self._channels.get(confirmed)
        if channel is not None and not channel.is_closed and key in self._exchanges:
            return self._exchanges[key]
        async with self._opening:
            if key not in self._exchanges or self._channels[confirmed].is_closed:
                await self._open(key)
            return self._exchanges[key]

    async def _open(self, key: tuple[bool, str]) -> None:
        confirmed, name = key
        channel = self._channels.get(confirmed)
        if channel is None or channel.is_closed:
            connection = await self._link.connection()
            channel = connection.channel(publisher_confirms=confirmed, on_return_raises=confirmed)
            await channel.initialize()
            self._channels[confirmed] = channel
            self._exchanges = {k: v for k, v in self._exchanges.items() if k[0] != confirmed}
        self._exchanges[key] = await channel.get_exchange(name, ensure=False)

    async def _reset(self, *, confirmed: bool) -> None:
        """Give up the channel: its open confirms are unknown."""
        channel = self._channels.pop(confirmed, None)
        self._exchanges = {k: v for k, v in self._exchanges.items() if k[0] != confirmed}
        if channel is not None and not channel.is_closed:
            with contextlib.suppress(*FAILURES):
                async with asyncio.timeout(2):
                    await channel.close()


_EXCHANGES = ("user_to_engine", "engine_to_user", "events", "dead")
