"""The outbox as bytes: nothing searches in them, so every adapter keeps them as one value (msgpack)."""

from collections.abc import Sequence

import msgspec

from parley_session_router.store.records import OutboxEntry

NOTHING = msgspec.msgpack.encode([])

_encode = msgspec.msgpack.Encoder().encode
_pending = msgspec.msgpack.Decoder(list[tuple[int, str, str, str, bytes]])


def pack_pending(entries: Sequence[OutboxEntry]) -> bytes:
    """For `unpack_pending`."""
    return _encode([(e.id, e.exchange, e.key, e.type, e.payload) for e in entries]) if entries else NOTHING


def unpack_pending(data: bytes) -> tuple[OutboxEntry, ...]:
    """What `pack_pending` was given."""
    return tuple(OutboxEntry(*entry) for entry in _pending.decode(data))
