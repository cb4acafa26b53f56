"""A session's state as bytes. Fields may be added with defaults; what an older release does not know it ignores.

The recent ids are not among them: the store keeps those in a field of their own.
"""

from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from parley_session_router.machine.state import SessionState


class _Contract(Protocol):
    """A generated message."""

    def SerializeToString(self) -> bytes: ...  # noqa: N802 - protobuf's name


def _pack(message: _Contract) -> bytes:
    return message.SerializeToString()


def _unpack(kind: type[Any], data: bytes) -> Any:
    return kind.FromString(data)


_encoder = msgspec.msgpack.Encoder(enc_hook=_pack)
_decoder = msgspec.msgpack.Decoder(SessionState, dec_hook=_unpack)


def encode(state: SessionState) -> bytes:
    """Everything but the recent ids."""
    return _encoder.encode(replace(state, recent_ids=b""))


def decode(data: bytes, recent_ids: bytes = b"") -> SessionState:
    """The state as it was encoded; unknown fields are dropped, missing ones have their defaults."""
    return replace(_decoder.decode(data), recent_ids=recent_ids)
