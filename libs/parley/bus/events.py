"""Events as the bus sees them: every contracts message with `EventMeta meta = 1`, by name and back."""

from typing import NamedTuple, Protocol, Self

from parley.contracts import v1
from parley.contracts.v1 import Envelope, EventMeta


class Event(Protocol):
    """A generated message whose first field is its meta."""

    @property
    def meta(self) -> EventMeta:
        """Who, when, in which trace."""
        ...

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """The bytes on the wire."""
        ...

    @classmethod
    def FromString(cls, s: bytes) -> Self:  # noqa: N802 - protobuf's name
        """Read bytes; raises DecodeError when they are no such message."""
        ...


def _event_types() -> dict[str, type[Event]]:
    found: dict[str, type[Event]] = {}
    for name in v1.__all__:
        kind = getattr(v1, name)
        descriptor = getattr(kind, "DESCRIPTOR", None)
        fields = getattr(descriptor, "fields_by_name", {})
        if "meta" in fields and fields["meta"].message_type is EventMeta.DESCRIPTOR:
            found[name] = kind
    return found


EVENT_TYPES = _event_types()


def type_name(event: Event | type[Event]) -> str:
    """The short name that stands in an Envelope."""
    return event.__name__ if isinstance(event, type) else type(event).__name__


class Packed(NamedTuple):
    """An event that is bytes already, since somebody stored them: it is published without being built again."""

    type: str
    payload: bytes
    traceparent: str = ""


def unpack(packed: Packed) -> Event:
    """The event that these bytes are. Raises KeyError for a type that this release does not know, DecodeError."""
    return EVENT_TYPES[packed.type].FromString(packed.payload)


def to_envelope(event: Event) -> Envelope:
    """Wrap an event for a batch."""
    return Envelope(type=type(event).__name__, payload=event.SerializeToString())


def from_envelope(envelope: Envelope) -> Event:
    """Read an event. Raises KeyError for a type that this release does not know, DecodeError for broken bytes."""
    return EVENT_TYPES[envelope.type].FromString(envelope.payload)
