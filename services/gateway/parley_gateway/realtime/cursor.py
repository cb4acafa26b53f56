"""Where a client without a connection stands: its stream, its position, and the previews it has seen.

Any replica can read it, so no request has to come back to the same one. It grants nothing (the token does) and is
therefore sealed, not secret: a cursor of another session or a spoilt one is refused, a forged position is checked
against the store like any other.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

import orjson

from parley.contracts.v1 import StreamPosition
from parley.core import Invalid
from parley_gateway.realtime.streams import SessionKey

SEAL_BYTES = 9
CURSOR_CHARS = 2_000
DRAFTS_KEPT = 8
MOST = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position, and for each running reply the index of the last piece that was shown."""

    epoch: int = 0
    seq: int = 0
    drafts: dict[str, int] = field(default_factory=dict)

    def position(self, session: str) -> StreamPosition:
        """As a hello says it."""
        return StreamPosition(id=session, epoch=self.epoch, after_seq=self.seq)


def write_cursor(cursor: Cursor, key: SessionKey) -> str:
    """As clients keep it."""
    drafts = dict(list(cursor.drafts.items())[-DRAFTS_KEPT:])
    body = orjson.dumps([cursor.epoch, cursor.seq, drafts])
    return base64.urlsafe_b64encode(_seal(body, key) + body).decode().rstrip("=")


def read_cursor(text: str, key: SessionKey) -> Cursor:
    """Raises Invalid."""
    try:
        if len(text) > CURSOR_CHARS:
            raise ValueError
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        seal, body = data[:SEAL_BYTES], data[SEAL_BYTES:]
        if not hmac.compare_digest(seal, _seal(body, key)):
            raise ValueError
        epoch, seq, drafts = orjson.loads(body)
        return Cursor(epoch, seq, drafts)
    except (ValueError, TypeError):
        raise Invalid("this cursor is none of this conversation's; say hello again") from None


def read_position(text: str) -> Cursor:
    """`epoch:seq`, the id of an event in an event stream; the beginning when it is empty. Raises Invalid."""
    if not text:
        return Cursor()
    epoch, colon, seq = text.partition(":")
    numbers = [int(part) for part in (epoch, seq) if part.isascii() and part.isdigit() and len(part) <= 10]
    if not colon or len(numbers) != 2 or max(numbers) > MOST:
        raise Invalid("a position is written epoch:seq, like 1:42")
    return Cursor(numbers[0], numbers[1])


def _seal(body: bytes, key: SessionKey) -> bytes:
    named = "\x00".join(("parley cursor 1", *key)).encode()
    return hmac.new(named, body, hashlib.sha256).digest()[:SEAL_BYTES]
