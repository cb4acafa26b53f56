"""Every exchange and queue of the house. This file is the system diagram.

Two directions carry everything: `user_to_engine` and `engine_to_user`. The stage is in the routing key.
"""

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Final, Generic, TypeVar

from parley.bus.events import Event
from parley.contracts.v1 import (
    CloseRequested,
    Deliver,
    HandbackRequested,
    MessageReceived,
    MessagesRead,
    ReplyChunk,
    SendMessage,
    ShardProbed,
    StopRequested,
    StreamAttached,
    StreamDetached,
    TakeoverRequested,
    TurnCancelled,
    TurnCompleted,
    TurnFailed,
    TurnJoined,
    TurnRequested,
    TurnStarted,
    VisitorTyping,
)

E_co = TypeVar("E_co", bound=Event, covariant=True)


class Kind(Enum):
    """How a queue behaves; each adapter knows what to declare for it."""

    SHARD = "shard"  # durable quorum, one active consumer, delivery limit, dead-letter
    WORK = "work"  # durable quorum, competing consumers, delivery limit, dead-letter
    PRIVATE = "private"  # of one replica: exclusive, bounded, gone with its reader
    DEAD = "dead"  # durable quorum, where all dead letters end


@dataclass(frozen=True, slots=True)
class Exchange:
    """A topic exchange."""

    name: str


USER_TO_ENGINE_EXCHANGE: Final = Exchange("user_to_engine")
ENGINE_TO_USER_EXCHANGE: Final = Exchange("engine_to_user")
EVENTS: Final = Exchange("events")
DEAD_EXCHANGE: Final = Exchange("dead")
EXCHANGES: Final = (USER_TO_ENGINE_EXCHANGE, ENGINE_TO_USER_EXCHANGE, EVENTS, DEAD_EXCHANGE)


@dataclass(frozen=True, slots=True)
class Binding:
    """Which keys of an exchange a queue takes; `*` is one word, `#` any number of them."""

    exchange: Exchange
    key: str


@dataclass(frozen=True, slots=True)
class Queue(Generic[E_co]):
    """A typed queue. mypy refuses a handler whose event is not one of `events`."""

    name: str
    events: tuple[type[E_co], ...]
    kind: Kind
    bindings: tuple[Binding, ...]
    batch: int = 64  # events that one message of the bus may carry to it
    max_length: int = 200_000  # messages; beyond it a publish is refused, never dropped (PRIVATE: oldest dropped)
    delivery_limit: int = 20


@dataclass(frozen=True, slots=True)
class Route:
    """Where an event goes: an exchange and a routing key.

    `durable` routes are persistent and confirmed, the others are previews that may be lost. A route that is `mandatory`
    must find a queue, else its publisher is told (Unroutable); facts need no reader. A `window` of more than one batch
    under way is for routes whose readers need no order: a retry may then overtake.
    """

    exchange: Exchange
    key: str
    durable: bool = True
    batch: int = 64
    mandatory: bool = True
    window: int = 1

    def __hash__(self) -> int:
        return hash(self.key)  # a route is looked up several times per event; its key says nearly all


ToShard = (
    MessageReceived
    | SendMessage
    | StreamAttached
    | StreamDetached
    | VisitorTyping
    | MessagesRead
    | StopRequested
    | TakeoverRequested
    | HandbackRequested
    | CloseRequested
    | ShardProbed
    | TurnStarted
    | TurnCompleted
    | TurnFailed
)
TO_SHARD: Final[tuple[type[ToShard], ...]] = (
    MessageReceived,
    SendMessage,
    StreamAttached,
    StreamDetached,
    VisitorTyping,
    MessagesRead,
    StopRequested,
    TakeoverRequested,
    HandbackRequested,
    CloseRequested,
    ShardProbed,
    TurnStarted,
    TurnCompleted,
    TurnFailed,
)
ENGINE_BATCH: Final = 16  # turns are work: small batches spread better over engines
ENGINE_WINDOW: Final = 8  # a session has one turn at a time, so turns have no order among themselves
GATEWAY_BATCH: Final = 256  # all that one gateway shows comes by one route


def sessions(shard: int) -> Queue[ToShard]:
    """gateway, channel adapters, ai-engine, services -> session-router, the owner of this shard."""
    key = shard_key(shard)
    bindings = (Binding(USER_TO_ENGINE_EXCHANGE, key), Binding(ENGINE_TO_USER_EXCHANGE, key))
    return Queue(f"sessions.{shard:02d}", TO_SHARD, Kind.SHARD, bindings)


def user_to_engine(group: str = "default") -> Queue[TurnRequested]:
    """session-router -> ai-engine, any replica of the group."""
    name = "user_to_engine" if group == "default" else f"user_to_engine.{group}"
    binding = Binding(USER_TO_ENGINE_EXCHANGE, f"engine.{group}")
    return Queue(name, (TurnRequested,), Kind.WORK, (binding,), batch=ENGINE_BATCH)


USER_TO_ENGINE: Final = user_to_engine()


def engine_replica(replica: str) -> Queue[TurnCancelled | TurnJoined]:
    """session-router -> one ai-engine replica: cancel, join."""
    binding = Binding(USER_TO_ENGINE_EXCHANGE, f"replica.{replica}")
    return Queue(f"user_to_engine.replica.{replica}", (TurnCancelled, TurnJoined), Kind.PRIVATE, (binding,))


def gateway_replica(replica: str) -> Queue[Deliver | ReplyChunk]:
    """session-router, ai-engine -> one gateway replica."""
    binding = Binding(ENGINE_TO_USER_EXCHANGE, f"gateway.{replica}")
    return Queue(f"engine_to_user.gateway.{replica}", (Deliver, ReplyChunk), Kind.PRIVATE, (binding,))


def channel_outbound(channel: str) -> Queue[Deliver]:
    """session-router -> the outbound side of a channel adapter that reads the bus."""
    binding = Binding(ENGINE_TO_USER_EXCHANGE, f"channel.{channel}")
    return Queue(f"engine_to_user.channel.{channel}", (Deliver,), Kind.WORK, (binding,))


def observer(service: str, exchange: Exchange, *kinds: type[E_co]) -> Queue[E_co]:
    """Facts for one service: each observing service has its own copy, shared by its replicas."""
    bindings = tuple(Binding(exchange, fact_key(kind)) for kind in kinds)
    return Queue(f"{service}.{exchange.name}", kinds, Kind.WORK, bindings)


def replica_observer(service: str, replica: str, exchange: Exchange, *kinds: type[E_co]) -> Queue[E_co]:
    """Facts for one replica: each replica has its own copy."""
    bindings = tuple(Binding(exchange, fact_key(kind)) for kind in kinds)
    return Queue(f"{service}.{exchange.name}.{replica}", kinds, Kind.PRIVATE, bindings)


DEAD: Final[Queue[Event]] = Queue("dead", (), Kind.DEAD, (Binding(DEAD_EXCHANGE, "#"),))


def shard_key(shard: int) -> str:
    """The routing key of a shard."""
    return f"shard.{shard:02d}"


@cache
def fact_key(kind: type[Event]) -> str:
    """`MessageStored` -> `message.stored`: the noun, then what happened to it."""
    words = "".join(f".{c.lower()}" if c.isupper() else c for c in kind.__name__).strip(".").split(".")
    return f"{'_'.join(words[:-1])}.{words[-1]}"


def durable_queues(shards: int, groups: tuple[str, ...] = ("default",)) -> list[Queue[Event]]:
    """What `parley topology apply` declares besides the observers of registered services."""
    return [DEAD, *(sessions(n) for n in range(shards)), *(user_to_engine(group) for group in groups)]
