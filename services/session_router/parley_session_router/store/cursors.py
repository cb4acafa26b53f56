"""Cursors that clients carry: opaque to them, checked when they come back."""

import base64
import binascii
from typing import TypeVar

import msgspec

from parley.core import Invalid

T = TypeVar("T")


def pack(*values: float | str) -> str:
    """A cursor that `unpack` reads."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(values)).decode().rstrip("=")


def unpack(cursor: str, shape: type[T]) -> T:
    """The values of a cursor, which must have this tuple's shape. Raises Invalid."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.msgpack.decode(raw, type=shape)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Invalid("this cursor is not one of ours; leave it out to start from the beginning") from None
