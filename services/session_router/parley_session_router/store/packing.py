"""Outbox and recent ids as bytes: nothing searches in them, so every adapter keeps them as one value (msgpack)."""

from collections.abc import Sequence

import msgspec

from parley_session_router.store.records import OutboxEntry, RecentId

NOTHING = msgspec.msgpack.encode([])

_encode = msgspec.msgpack.Encoder().encode
_pending = msgspec.msgpack.Decoder(list[tuple[int, str, str, str, bytes]])
_recent = msgspec.msgpack.Decoder(list[tuple[str, str, int]])


def pack_pending(entries: Sequence[OutboxEntry]) -> bytes:
    """For `unpack_pending`."""
    return _encode([(e.id, e.exchange, e.key, e.type, e.payload) for e in entries]) if entries else NOTHING


def unpack_pending(data: bytes) -> tuple[OutboxEntry, ...]:
    """What `pack_pending` was given."""
    return tuple(OutboxEntry(*entry) for entry in _pending.decode(data))


def pack_recent(ids: Sequence[RecentId]) -> bytes:
    """For `unpack_recent`."""
    return _encode(ids)


def unpack_recent(data: bytes) -> tuple[RecentId, ...]:
    """What `pack_recent` was given."""
    return tuple(RecentId(*entry) for entry in _recent.decode(data))
