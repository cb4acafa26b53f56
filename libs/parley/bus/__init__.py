"""Events between services: the queues of the house, the port of the bus, and its two adapters."""

from parley.bus.events import EVENT_TYPES, Event, Packed, from_envelope, to_envelope, type_name, unpack
from parley.bus.port import Bus, Delivery, Features, OnDeliveries, ParkedLetter, Subscription
from parley.bus.queues import (
    DEAD,
    DEAD_EXCHANGE,
    ENGINE_TO_USER_EXCHANGE,
    EVENTS,
    USER_TO_ENGINE,
    USER_TO_ENGINE_EXCHANGE,
    Binding,
    Exchange,
    Kind,
    Queue,
    Route,
)

__all__ = [
    "DEAD",
    "DEAD_EXCHANGE",
    "ENGINE_TO_USER_EXCHANGE",
    "EVENTS",
    "EVENT_TYPES",
    "USER_TO_ENGINE",
    "USER_TO_ENGINE_EXCHANGE",
    "Binding",
    "Bus",
    "Delivery",
    "Event",
    "Exchange",
    "Features",
    "Kind",
    "OnDeliveries",
    "Packed",
    "ParkedLetter",
    "Queue",
    "Route",
    "Subscription",
    "from_envelope",
    "to_envelope",
    "type_name",
    "unpack",
]
