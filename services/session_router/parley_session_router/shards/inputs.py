"""What a shard works on: deliveries from its queue, and what it tells itself (timers, lost gateways)."""

from typing import cast

from msgspec import Struct

from parley.bus import Delivery
from parley.bus.queues import TO_SHARD, ToShard
from parley.core import Reject, shard_of
from parley_session_router.machine import Input
from parley_session_router.store import SessionKey

ID_CHARS = 200
_READABLE = frozenset(TO_SHARD)


class Work(Struct, frozen=True):
    """One input of one session. `delivery` is None for what the shard tells itself."""

    key: SessionKey
    event: Input
    cause: str
    traceparent: str = ""
    delivery: Delivery | None = None


def work_of(delivery: Delivery) -> Work:
    """An input from a delivery. Raises Reject for what can never be one."""
    event = delivery.event
    if event is None or type(event) not in _READABLE:
        raise Reject(delivery.problem or f"{type(event).__name__} does not belong on the queue of a shard")
    meta = event.meta
    return Work(
        SessionKey(meta.tenant_id, meta.session_id), cast(ToShard, event), meta.event_id, meta.traceparent, delivery
    )


def check_place(key: SessionKey, shard: int, shards: int) -> None:
    """Raises Reject for a session that is none, or that lives in another shard: nobody would keep its order here."""
    if not key.tenant or not key.session:
        raise Reject("it names no tenant or no session")
    if len(key.tenant) > ID_CHARS or len(key.session) > ID_CHARS:
        raise Reject(f"its tenant or session has an id of more than {ID_CHARS} characters")
    place = shard_of(key.tenant, key.session, shards)
    if place != shard:
        raise Reject(f"its session belongs to shard {place} of {shards}, not to {shard}; publish it with to_shard()")
