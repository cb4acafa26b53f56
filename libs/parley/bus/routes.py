"""Where each kind of event goes, so that publishing names the event and nothing else.

Routes are kept: one is asked for with every event.
"""

from functools import cache, lru_cache

from parley.bus.events import Event
from parley.bus.queues import (
    DEAD_EXCHANGE,
    ENGINE_BATCH,
    ENGINE_TO_USER_EXCHANGE,
    ENGINE_WINDOW,
    EVENTS,
    GATEWAY_BATCH,
    TO_SHARD,
    USER_TO_ENGINE_EXCHANGE,
    Exchange,
    Route,
    fact_key,
    shard_key,
)
from parley.contracts.v1 import TurnCompleted, TurnFailed, TurnRequested, TurnStarted
from parley.core import shard_of

_FROM_ENGINE = (TurnStarted, TurnCompleted, TurnFailed)


def to_shard(event: Event, shards: int) -> Route:
    """The shard of the event's session. What engines say comes in by their own direction, to the same queue."""
    shard = shard_of(event.meta.tenant_id, event.meta.session_id, shards)
    return _shard_route(shard, from_engine=isinstance(event, _FROM_ENGINE))


@cache
def _shard_route(shard: int, *, from_engine: bool) -> Route:
    exchange = ENGINE_TO_USER_EXCHANGE if from_engine else USER_TO_ENGINE_EXCHANGE
    return Route(exchange, shard_key(shard))


@cache
def to_engines(group: str = "default") -> Route:
    """Any engine of a group."""
    return Route(USER_TO_ENGINE_EXCHANGE, f"engine.{group}", batch=ENGINE_BATCH, window=ENGINE_WINDOW)


@lru_cache(4096)
def to_engine_replica(replica: str) -> Route:
    """One engine; transient, since what it would cancel dies with it."""
    return Route(USER_TO_ENGINE_EXCHANGE, f"replica.{replica}", durable=False)


@lru_cache(4096)
def to_gateway(gateway: str, *, durable: bool = True) -> Route:
    """One gateway. Stored events are confirmed and must find it; chunks (`durable=False`) are previews."""
    return Route(ENGINE_TO_USER_EXCHANGE, f"gateway.{gateway}", durable=durable, batch=GATEWAY_BATCH)


@lru_cache(4096)
def to_channel(channel: str) -> Route:
    """The outbound side of a channel adapter."""
    return Route(ENGINE_TO_USER_EXCHANGE, f"channel.{channel}")


def as_fact(event: Event) -> Route:
    """A fact for whoever observes it; nobody may, so it need not find a queue."""
    return fact_route(type(event))


@cache
def fact_route(kind: type[Event]) -> Route:
    """Where facts of a kind go."""
    return Route(EVENTS, fact_key(kind), mandatory=False)


@lru_cache(4096)
def to_dead(queue: str) -> Route:
    """The dead-letter desk."""
    return Route(DEAD_EXCHANGE, queue)


def route_of(event: Event, shards: int) -> Route:
    """The one place that an event of this type goes to; facts are the default."""
    if isinstance(event, TO_SHARD):
        return to_shard(event, shards)
    if isinstance(event, TurnRequested):
        return to_engines(event.group or "default")
    return as_fact(event)


@lru_cache(4096)
def stored_route(exchange: str, key: str, *, mandatory: bool) -> Route:
    """The route of an event that was stored with its exchange and key."""
    kind, _, name = key.partition(".")
    if exchange == ENGINE_TO_USER_EXCHANGE.name and kind == "gateway":
        return to_gateway(name)
    if exchange == USER_TO_ENGINE_EXCHANGE.name and kind == "engine":
        return to_engines(name)
    return Route(Exchange(exchange), key, mandatory=mandatory)
