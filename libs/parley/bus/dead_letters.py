"""Dead letters: how an event is parked with its cause, and how it is replayed."""

from parley.bus.events import Event, from_envelope, to_envelope
from parley.bus.port import Bus, Delivery, ParkedLetter
from parley.bus.queues import Exchange, Queue, Route
from parley.bus.routes import to_dead
from parley.contracts.v1 import DeadLetter, Envelope
from parley.core import Reject
from parley.core.redact import redact

PARK_SECONDS = 60.0
CAUSE_CHARS = 500


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
        letter.raw = delivery.raw
    letter.parked_at.GetCurrentTime()
    await bus.publish(to_dead(queue.name), letter, timeout=PARK_SECONDS)


async def replay(bus: Bus, parked: ParkedLetter) -> None:
    """Publish the event again to where it came from, then take the letter away. Raises Reject when it is unreadable."""
    letter = parked.letter
    if not letter.event.type:
        raise Reject("its bytes could not be read, so there is nothing to replay; drop it")
    route = Route(Exchange(letter.exchange), letter.routing_key)
    await bus.publish(route, from_envelope(letter.event))
    await bus.take_dead_letter(parked.letter_id)


def letter_of(envelope: Envelope, *, route: Route, cause: str, attempts: int, queue: str) -> ParkedLetter:
    """A letter as the desk lists it: one of ours, or an event that the broker gave up by itself."""
    event = from_envelope(envelope)
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
    letter.meta.tenant_id, letter.meta.session_id = event.meta.tenant_id, event.meta.session_id
    letter.meta.traceparent = event.meta.traceparent
    return ParkedLetter(event.meta.event_id, letter)
