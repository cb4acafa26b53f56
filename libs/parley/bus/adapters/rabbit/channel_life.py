"""One life of a reader's channel: batches in, acknowledgements joined. What was delivered on it dies with it."""

import asyncio
import contextlib
import time
from collections import deque
from typing import Any

from aio_pika.exceptions import DeliveryError
from google.protobuf.message import DecodeError

from parley.bus.adapters.rabbit.frames import HEADER_EXCHANGE, HEADER_KEY, properties_of
from parley.bus.adapters.rabbit.link import FAILURES, client_calls, log
from parley.bus.events import Event, from_envelope
from parley.bus.port import Delivery, OnDeliveries
from parley.bus.queues import Exchange, Queue, Route
from parley.bus.suspects import Gate
from parley.contracts.v1 import Batch, Envelope

RENEW_SECONDS = 5.0
FLUSH_SECONDS = 2.0


class IncomingBatch:
    """One AMQP message in hand; `open` of its events are not settled yet."""

    __slots__ = ("body", "envelopes", "open", "redelivered", "route", "tag")

    def __init__(self, message: Any) -> None:
        delivery, headers = message.delivery, message.header.properties.headers or {}
        self.tag: int = delivery.delivery_tag
        self.body: bytes = message.body
        count = headers.get("x-delivery-count")
        self.redelivered = count if isinstance(count, int) else int(delivery.redelivered)
        # An event that was put back alone says in its headers where it was published to first.
        exchange = str(headers.get(HEADER_EXCHANGE, delivery.exchange or ""))
        self.route = Route(Exchange(exchange), str(headers.get(HEADER_KEY, delivery.routing_key or "")))
        self.envelopes = _envelopes(message.body)
        self.open = self.events

    @property
    def events(self) -> int:
        """How many it holds; an unreadable body counts as one."""
        return len(self.envelopes) or 1


class RabbitDelivery:
    """One event of a batch."""

    __slots__ = ("_batch", "_done", "_envelope", "_life", "event", "problem", "received_at")

    def __init__(self, life: "ChannelLife", batch: IncomingBatch, envelope: Envelope | None, now: float) -> None:
        self._life = life
        self._batch = batch
        self._envelope = envelope
        self._done = False
        self.received_at = now
        self.event: Event | None = None
        self.problem = ""
        if envelope is None:
            self.problem = "this is no batch of events"
            return
        try:
            self.event = from_envelope(envelope)
        except KeyError:
            self.problem = f"this release knows no event {envelope.type or '(without a type)'}"
        except DecodeError as error:
            self.problem = f"unreadable {envelope.type}: {error}"

    @property
    def raw(self) -> bytes:
        """The event's envelope; the whole body when even that cannot be read."""
        return self._batch.body if self._envelope is None else self._envelope.SerializeToString()

    @property
    def route(self) -> Route:
        """Where it was published to."""
        return self._batch.route

    @property
    def redelivered(self) -> int:
        """How often its batch has been delivered before."""
        return self._batch.redelivered

    def settle(self) -> None:
        """Done with it."""
        if not self._done:
            self._done = True
            self._batch.open -= 1
            if self._batch.open == 0:
                self._life.settled(self._batch)


class ChannelLife:
    """From opening a channel to losing it. `gone` is set when nothing more will come on it."""

    def __init__(self, channel: Any, queue: Queue[Event], on_deliveries: OnDeliveries) -> None:
        self.gone = asyncio.Event()
        self.paused = False
        self.received = 0  # messages
        self.why = ""
        self._channel = channel
        self._queue = queue
        self._take = on_deliveries
        self._hand: deque[IncomingBatch] = deque()  # in the order of their tags
        self._gate: Gate[IncomingBatch] = Gate(queue.delivery_limit, self._give, self._renew)
        self._scheduled = False
        self._acks: deque[tuple[int, bool]] = deque()  # tags, and whether all before them are meant too
        self._writing: asyncio.Task[None] | None = None

    def end(self, *why: object) -> None:
        """The channel is gone: nothing that came on it can be settled any more."""
        self.why = self.why or " ".join(repr(one) for one in why if isinstance(one, BaseException))
        self.gone.set()
        self._gate.close()
        self._hand.clear()

    async def on_message(self, message: Any) -> None:
        """Called by the client for each AMQP message, in order."""
        self.received += 1
        batch = IncomingBatch(message)
        self._hand.append(batch)
        if not self.paused:
            self._gate.arrive(batch)

    def settled(self, batch: IncomingBatch) -> None:
        """Acknowledge what is done, once in this turn of the loop."""
        self._gate.settled(batch)
        if not self._scheduled and not self.gone.is_set():
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._acknowledge)

    async def flush(self) -> None:
        """Wait until what was settled has been written."""
        await asyncio.sleep(0)
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=FLUSH_SECONDS)

    def _give(self, batch: IncomingBatch) -> None:
        if self.paused or self.gone.is_set():
            return
        now = time.time()
        envelopes: list[Envelope | None] = [*batch.envelopes] or [None]
        deliveries: list[Delivery] = [RabbitDelivery(self, batch, envelope, now) for envelope in envelopes]
        self._take(deliveries)

    def _acknowledge(self) -> None:
        """One `multiple` ack for the settled head, single acks for what is settled behind it."""
        self._scheduled = False
        head = 0
        while self._hand and self._hand[0].open == 0:
            head = self._hand.popleft().tag
        if head:
            self._acks.append((head, True))
        behind = [batch for batch in self._hand if batch.open == 0]
        if behind:
            self._acks.extend((batch.tag, False) for batch in behind)
            self._hand = deque(batch for batch in self._hand if batch.open)
        if self._acks and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        """One after another: an ack that is overtaken by a `multiple` one of a later tag ends the channel."""
        # On a dead channel nothing is lost: the broker delivers it again, and repeats are refused.
        with contextlib.suppress(*FAILURES), client_calls():
            while self._acks and not self.gone.is_set():
                tag, multiple = self._acks.popleft()
                await self._channel.basic_ack(tag, multiple=multiple, wait=False)

    async def _renew(self, batch: IncomingBatch) -> bool:
        """Put each event back to the end of this queue, and of no other that has the same key."""
        headers = {HEADER_EXCHANGE: batch.route.exchange.name, HEADER_KEY: batch.route.key}
        try:
            with client_calls():
                async with asyncio.timeout(RENEW_SECONDS):
                    for envelope in batch.envelopes:
                        body = Batch(events=[envelope]).SerializeToString()
                        properties = properties_of(durable=True, headers=headers)
                        await self._channel.basic_publish(
                            body, routing_key=self._queue.name, properties=properties, mandatory=True
                        )
        except (DeliveryError, *FAILURES) as error:
            log.warning("batch.not_split", queue=self._queue.name, error=f"{type(error).__name__}: {error}")
            return False
        log.warning("batch.split", queue=self._queue.name, events=batch.events, redelivered=batch.redelivered)
        batch.open = 0
        self.settled(batch)
        return bool(batch.envelopes)


def _envelopes(body: bytes) -> list[Envelope]:
    """The events of a message; none when it cannot be read."""
    try:
        return list(Batch.FromString(body).events)
    except DecodeError:
        return []
