"""Names of things: typed ids, new ones that sort by time, and the shard that a session belongs to."""

import base64
import hashlib
import itertools
import os
import secrets
import time
from typing import NewType

TenantId = NewType("TenantId", str)
SessionId = NewType("SessionId", str)
MessageId = NewType("MessageId", str)
TurnId = NewType("TurnId", str)
EventId = NewType("EventId", str)

_PROCESS = base64.b32hexencode(os.urandom(10)).decode().lower()
_count = itertools.count()


def new_id(prefix: str) -> str:
    """`prefix_` + 24 characters: 48 bits of unix milliseconds, 72 random bits. Ids of one prefix sort by time."""
    stamp = int(time.time() * 1000).to_bytes(6, "big") + secrets.token_bytes(9)
    return f"{prefix}_{base64.b32hexencode(stamp).decode().lower()}"


def new_event_id() -> EventId:
    """Unique for this process' life and beyond; a counter, since one is made for every event."""
    return EventId(f"{_PROCESS}{next(_count):x}")


def new_replica_id() -> str:
    """Eight characters that name one running process among its replicas."""
    return secrets.token_hex(4)


def shard_of(tenant: str, session: str, shards: int) -> int:
    """The shard of a session: the same on every machine and in every release, for a fixed number of shards."""
    digest = hashlib.blake2b(f"{tenant}:{session}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards
