"""What a message of the dead-letter queue holds: a letter of ours, or a batch that the broker gave up by itself."""

from typing import Any

from aio_pika.abc import AbstractIncomingMessage
from google.protobuf.message import DecodeError

from parley.bus.adapters.rabbit.frames import HEADER_EXCHANGE, HEADER_KEY
from parley.bus.dead_letters import letter_of, unreadable
from parley.bus.port import ParkedLetter
from parley.bus.queues import Exchange, Route
from parley.contracts.v1 import Batch


def letters_of(message: AbstractIncomingMessage) -> list[ParkedLetter]:
    """Its letters, one for each event."""
    headers: dict[str, Any] = dict(message.headers or {})
    deaths = headers.get("x-death")
    death: dict[str, Any] = deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
    cause, queue = f"broker: {death.get('reason', 'unknown')}", str(death.get("queue", ""))
    exchange = str(headers.get(HEADER_EXCHANGE) or death.get("exchange") or message.exchange or "")
    route = Route(Exchange(exchange), str(headers.get(HEADER_KEY) or message.routing_key or ""))
    try:
        envelopes = Batch.FromString(message.body).events
    except DecodeError as error:
        return [unreadable(message.body, route=route, cause=f"{cause}; {error!r}", queue=queue)]
    return [letter_of(envelope, route=route, cause=cause, queue=queue) for envelope in envelopes] or [
        unreadable(message.body, route=route, cause=f"{cause}; an empty batch", queue=queue)
    ]
