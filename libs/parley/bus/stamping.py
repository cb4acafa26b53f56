"""What the bus fills in on every event that is published."""

from parley.bus.events import Event
from parley.core.ids import new_event_id
from parley.telemetry import current_traceparent


def stamp(event: Event, producer: str) -> None:
    """Id, version, time, producer and trace, where the publisher has not set them. The time is always now's."""
    meta = event.meta
    meta.event_id = meta.event_id or new_event_id()
    meta.version = meta.version or 1
    meta.producer = meta.producer or producer
    meta.traceparent = meta.traceparent or current_traceparent()
    meta.occurred_at.GetCurrentTime()
