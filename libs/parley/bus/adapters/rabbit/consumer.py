"""Reading: one channel a queue, batches in, acknowledgements joined.

A batch is acknowledged when each of its events is settled. One that has come twice before is split into single events
and put back, so that an event which crashes its reader meets the delivery limit alone.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue, DeliveryMode
from aio_pika.exceptions import ChannelClosed, ChannelNotFoundEntity, ChannelPreconditionFailed
from google.protobuf.message import DecodeError

from parley.bus.adapters.rabbit.link import FAILURES, Link, log
from parley.bus.adapters.rabbit.topology import arguments_of
from parley.bus.events import Event, from_envelope
from parley.bus.port import Delivery, OnDeliveries, Subscription
from parley.bus.queues import Exchange, Kind, Queue, Route
from parley.contracts.v1 import Batch, Envelope
from parley.core import BusUnavailable

SPLIT_FROM = 2  # deliveries of a batch before it is split
WATCH_SECONDS = 5.0
LOST_SECONDS = 15.0
REOPEN_SECONDS = 0.5
REOPEN_LONGEST = 5.0


class _Message:
    """One AMQP message in hand: how many of its events are open."""

    __slots__ = ("open", "tag")

    def __init__(self, tag: int, events: int) -> None:
        self.tag = tag
        self.open = events


class RabbitDelivery:
    """One event of a batch."""

    __slots__ = ("_done", "_message", "_reader", "event", "problem", "raw", "received_at", "redelivered", "route")

    def __init__(self, reader: "_Channel", message: _Message, route: Route, raw: bytes, redelivered: int) -> None:
        self._reader = reader
        self._message = message
        self._done = False
        self.route = route
        self.raw = raw
        self.redelivered = redelivered
        self.received_at = time.time()
        self.event: Event | None = None
        self.problem = ""

    def read(self, envelope: Envelope) -> "RabbitDelivery":
        """Read the event; what cannot be read is a problem, not an error."""
        try:
            self.event = from_envelope(envelope)
        except KeyError:
            self.problem = f"this release knows no event {envelope.type or '(without a type)'}"
        except DecodeError as error:
            self.problem = f"unreadable {envelope.type}: {error}"
        return self

    def settle(self) -> None:
        """Done with it."""
        if not self._done:
            self._done = True
            self._message.open -= 1
            if self._message.open == 0:
                self._reader.acknowledge_soon()


class _Channel:
    """One life of a subscription's channel. When it dies, everything that was delivered on it dies too."""

    def __init__(self, channel: AbstractChannel, on_deliveries: OnDeliveries) -> None:
        self.channel = channel
        self.paused = False
        self._take = on_deliveries
        self._hand: deque[_Message] = deque()
        self._scheduled = False
        self._acks: set[asyncio.Task[None]] = set()

    async def on_message(self, message: AbstractIncomingMessage) -> None:
        """Called by the client for each AMQP message, in order."""
        assert message.delivery_tag is not None
        redelivered = int(str((message.headers or {}).get("x-delivery-count", 1 if message.redelivered else 0)))
        route = Route(Exchange(message.exchange or ""), message.routing_key or "")
        envelopes = _envelopes(message.body)
        if envelopes is not None and len(envelopes) > 1 and redelivered >= SPLIT_FROM:
            await self._split(message, envelopes)
            return
        held = _Message(message.delivery_tag, max(1, len(envelopes or ())))
        self._hand.append(held)
        self._take(self._deliveries(held, route, message.body, envelopes, redelivered))

    def acknowledge_soon(self) -> None:
        """Acknowledge what is done, once in this turn of the loop."""
        if not self._scheduled and not self.channel.is_closed:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._acknowledge)

    async def finish_acks(self) -> None:
        """Wait until what was settled has been written."""
        await asyncio.sleep(0)
        if self._acks:
            await asyncio.wait(set(self._acks), timeout=2)

    def _deliveries(
        self, held: _Message, route: Route, body: bytes, envelopes: list[Envelope] | None, redelivered: int
    ) -> list[Delivery]:
        if not envelopes:
            broken = RabbitDelivery(self, held, route, body, redelivered)
            broken.problem = "this is no batch of events"
            return [broken]
        return [RabbitDelivery(self, held, route, body, redelivered).read(envelope) for envelope in envelopes]

    def _acknowledge(self) -> None:
        """One `multiple` ack for the settled head, single acks for what is settled behind it."""
        self._scheduled = False
        head = 0
        while self._hand and self._hand[0].open == 0:
            head = self._hand.popleft().tag
        if head:
            self._ack(head, multiple=True)
        for message in [m for m in self._hand if m.open == 0]:
            self._hand.remove(message)
            self._ack(message.tag, multiple=False)

    def _ack(self, tag: int, *, multiple: bool) -> None:
        task = asyncio.create_task(self._write_ack(tag, multiple))
        self._acks.add(task)
        task.add_done_callback(self._acks.discard)

    async def _write_ack(self, tag: int, multiple: bool) -> None:
        with contextlib.suppress(*FAILURES):  # a dead channel: the broker delivers it again, and repeats are refused
            underlay = await self.channel.get_underlay_channel()
            await underlay.basic_ack(tag, multiple=multiple, wait=False)

    async def _split(self, message: AbstractIncomingMessage, envelopes: list[Envelope]) -> None:
        for envelope in envelopes:
            single = aio_pika.Message(
                Batch(events=[envelope]).SerializeToString(),
                delivery_mode=DeliveryMode.PERSISTENT,
                headers=message.headers,
            )
            single.headers.pop("x-delivery-count", None)
            exchange = await self.channel.get_exchange(message.exchange or "", ensure=False)
            await exchange.publish(single, message.routing_key or "", mandatory=True)
        await message.ack()


class RabbitSubscription:
    """Reads one queue for as long as it is wanted, on one channel after another."""

    def __init__(self, link: Link, queue: Queue[Event], on_deliveries: OnDeliveries, prefetch: int) -> None:
        self._link = link
        self._queue = queue
        self._take = on_deliveries
        self._prefetch = prefetch
        self._paused = False
        self._life: _Channel | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def consuming(self) -> bool:
        """Whether the broker would deliver to us now."""
        return self._life is not None and not self._life.channel.is_closed and not self._paused

    def pause(self) -> None:
        """Take no more: what still arrives is left unsettled and goes back when the channel closes."""
        self._paused = True

    async def keep(self, started: asyncio.Event) -> None:
        """Open, read, wait until the channel is lost, begin again."""
        pause = REOPEN_SECONDS
        while True:
            try:
                gone = await self._open()
                started.set()
                pause = REOPEN_SECONDS
                await self._watch(gone)
            except (ChannelNotFoundEntity, ChannelPreconditionFailed) as error:
                self._lose(f"queue {self._queue.name} is gone or differs ({error}); run `parley topology check`")
                return
            except FAILURES as error:
                log.warning("reader.reopens", queue=self._queue.name, error=f"{type(error).__name__}: {error}")
            self._life = None
            await asyncio.sleep(random.uniform(0.5, 1.0) * pause)  # noqa: S311 - jitter
            pause = min(REOPEN_LONGEST, pause * 2)

    async def close(self) -> None:
        """Write the last acknowledgements, then close the channel: what is unsettled goes back."""
        life = self._life
        if life is not None and not life.channel.is_closed:
            await life.finish_acks()
            with contextlib.suppress(*FAILURES):
                async with asyncio.timeout(2):
                    await life.channel.close()
        if not self.lost.done():
            self.lost.cancel()

    async def _open(self) -> asyncio.Event:
        gone = asyncio.Event()
        connection = await self._link.connection()
        channel = connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.initialize()
        channel.close_callbacks.add(lambda *_: gone.set())
        await channel.set_qos(prefetch_count=self._prefetch)
        queue = await self._declare(channel)
        self._life = life = _Channel(channel, self._when_wanted)
        tag = await queue.consume(life.on_message, no_ack=False)
        log.debug("reader.open", queue=self._queue.name, tag=str(tag))
        return gone

    def _when_wanted(self, deliveries: list[Delivery]) -> None:
        if not self._paused:
            self._take(deliveries)

    async def _declare(self, channel: AbstractChannel) -> AbstractQueue:
        if self._queue.kind is not Kind.PRIVATE:
            return await channel.declare_queue(self._queue.name, passive=True)
        queue = await channel.declare_queue(
            self._queue.name, durable=False, exclusive=True, auto_delete=True, arguments=arguments_of(self._queue)
        )
        for binding in self._queue.bindings:
            await queue.bind(binding.exchange.name, binding.key)
        return queue

    async def _watch(self, gone: asyncio.Event) -> None:
        """Until the channel is gone. A queue without a consumer although we read it means that this process is deaf."""
        silent_since: float | None = None
        while not gone.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SECONDS):
                    await gone.wait()
            if gone.is_set() or self._paused or self._queue.kind is Kind.PRIVATE:
                continue
            consumers = await self._consumers()
            silent_since = None if consumers else silent_since or time.monotonic()
            if silent_since is not None and time.monotonic() - silent_since > LOST_SECONDS:
                self._lose(f"queue {self._queue.name} has had no consumer for {LOST_SECONDS:g} s")
                return

    async def _consumers(self) -> int:
        connection = await self._link.connection()
        async with asyncio.timeout(WATCH_SECONDS), connection.channel() as probe:
            try:
                found = await probe.declare_queue(self._queue.name, passive=True)
            except ChannelClosed as error:
                raise ChannelNotFoundEntity(str(error)) from None
            return int(found.declaration_result.consumer_count or 0)

    def _lose(self, why: str) -> None:
        log.error("reader.lost", queue=self._queue.name, why=why)
        if not self.lost.done():
            self.lost.set_exception(BusUnavailable(why))


def _envelopes(body: bytes) -> list[Envelope] | None:
    try:
        return list(Batch.FromString(body).events)
    except DecodeError:
        return None


@asynccontextmanager
async def open_subscription(
    link: Link, queue: Queue[Event], on_deliveries: OnDeliveries, prefetch: int
) -> AsyncIterator[Subscription]:
    """Read until the context is left. Returns when the queue is being read, or lost."""
    reading = RabbitSubscription(link, queue, on_deliveries, prefetch)
    started = asyncio.Event()
    keeping = asyncio.create_task(reading.keep(started))
    waiting: asyncio.Future[object] = asyncio.ensure_future(started.wait())
    first: set[asyncio.Future[object]] = {waiting, reading.lost}  # type: ignore[arg-type]  # futures are invariant
    try:
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        yield reading
    finally:
        waiting.cancel()
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await reading.close()
