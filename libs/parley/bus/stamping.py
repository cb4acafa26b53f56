"""What the bus fills in on every event that is published."""

import time

from parley.bus.events import Event
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
