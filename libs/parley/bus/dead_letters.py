"""Dead letters: how an event is parked with its cause, and how it is replayed."""

from hashlib import blake2b

from google.protobuf.message import DecodeError

from parley.bus.events import EVENT_TYPES, Event, from_envelope, to_envelope
from parley.bus.port import Bus, Delivery, ParkedLetter
from parley.bus.queues import Exchange, Queue, Route
from parley.bus.routes import to_dead
from parley.contracts.v1 import DeadLetter, Envelope
from parley.core import Reject
from parley.core.redact import redact

PARK_SECONDS = 60.0
CAUSE_CHARS = 500
RAW_BYTES = 1024 * 1024  # of what cannot be read


async def park(bus: Bus, queue: Queue[Event], delivery: Delivery, *, cause: str, attempts: int, service: str) -> None:
    """Put an event on the dead-letter desk. Returns once it is confirmed there; settle the delivery then."""
    letter = DeadLetter(
        queue=queue.name,
        exchange=delivery.route.exchange.name,
        routing_key=delivery.route.key,
        cause=redact(cause)[:CAUSE_CHARS],
        attempts=attempts,
        service=service,
    )
    if delivery.event is not None:
        letter.event.CopyFrom(to_envelope(delivery.event))
        letter.meta.tenant_id = delivery.event.meta.tenant_id
        letter.meta.session_id = delivery.event.meta.session_id
        letter.meta.causation_id = delivery.event.meta.event_id
        letter.meta.traceparent = delivery.event.meta.traceparent
    else:
        letter.raw = delivery.raw[:RAW_BYTES]
    letter.parked_at.GetCurrentTime()
    await bus.publish(to_dead(queue.name), letter, timeout=PARK_SECONDS)


async def replay(bus: Bus, parked: ParkedLetter) -> None:
    """Publish the event again to where it came from, then take the letter away. Raises Reject when it is unreadable."""
    letter = parked.letter
    route = Route(Exchange(letter.exchange), letter.routing_key)
    await bus.publish(route, _event_of(letter))
    await bus.take_dead_letter(parked.letter_id)


def letter_of(envelope: Envelope, *, route: Route, cause: str, queue: str, attempts: int = 0) -> ParkedLetter:
    """A letter as the desk lists it: one of ours, or an event that the broker gave up by itself."""
    try:
        event = from_envelope(envelope)
    except (KeyError, DecodeError) as error:
        return unreadable(envelope.SerializeToString(), route=route, cause=f"{cause}; {error!r}", queue=queue)
    if isinstance(event, DeadLetter):
        return ParkedLetter(event.meta.event_id, event)
    letter = DeadLetter(
        queue=queue,
        exchange=route.exchange.name,
        routing_key=route.key,
        event=envelope,
        cause=cause,
        attempts=attempts,
    )
    letter.meta.CopyFrom(event.meta)
    return ParkedLetter(event.meta.event_id, letter)


def unreadable(raw: bytes, *, route: Route, cause: str, queue: str) -> ParkedLetter:
    """A letter about bytes; they are their own name."""
    letter = DeadLetter(queue=queue, exchange=route.exchange.name, routing_key=route.key, raw=raw, cause=cause)
    letter.meta.event_id = f"raw_{blake2b(raw, digest_size=10).hexdigest()}"
    return ParkedLetter(letter.meta.event_id, letter)


def _event_of(letter: DeadLetter) -> Event:
    """The event in a letter. What an earlier release could not read may be known by now."""
    envelope = letter.event
    if not envelope.type:
        try:
            envelope = Envelope.FromString(letter.raw)
        except DecodeError:
            envelope = Envelope()
    if not envelope.type:
        raise Reject("its bytes could not be read, so there is nothing to replay; drop it")
    if envelope.type not in EVENT_TYPES:
        raise Reject(f"this release knows no event {envelope.type}; replay it from one that does, or drop it")
    try:
        return from_envelope(envelope)
    except DecodeError:
        raise Reject(f"the bytes of this {envelope.type} are broken, so there is nothing to replay; drop it") from None
