"""What the bus fills in on every event that is published."""

import time

from parley.bus.events import Event, Packed
from parley.contracts.v1 import EventMeta
from parley.core.ids import new_event_id
from parley.telemetry import current_traceparent


def stamp(event: Event, producer: str) -> None:
    """Id, version, time, producer and trace, where the publisher has not set them. The time is always now's."""
    meta = event.meta
    if not meta.event_id:
        meta.event_id = new_event_id()
    if not meta.version:
        meta.version = 1
    if not meta.producer:
        meta.producer = producer
    if not meta.traceparent:
        meta.traceparent = current_traceparent()
    now = time.time_ns()
    meta.occurred_at.seconds, meta.occurred_at.nanos = divmod(now, 1_000_000_000)


def pack(event: Event, producer: str) -> Packed:
    """The event's bytes, stamped; what changes in it afterwards is not in them."""
    stamp(event, producer)
    return Packed(type(event).__name__, event.SerializeToString(), event.meta.traceparent)


def published_now() -> bytes:
    """Appended to an event's bytes, says in its meta that it is published now.

    A field that occurs again in a protobuf message is merged into the first:
    https://protobuf.dev/programming-guides/encoding/#last-one-wins
    """
    meta = EventMeta()
    meta.occurred_at.seconds, meta.occurred_at.nanos = divmod(time.time_ns(), 1_000_000_000)
    data = meta.SerializeToString()
    return b"\x0a" + bytes((len(data),)) + data  # field 1, a message, its length
