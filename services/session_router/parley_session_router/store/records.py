"""What the store keeps of a session, as values. Times are unix seconds."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from parley.core import SessionId

RECENT_IDS = 64  # messages that a session's own record remembers; older ones are found by `find_duplicates`


class SessionKey(NamedTuple):
    """Names one session; session ids mean nothing outside their tenant."""

    tenant: str
    session: str


class OutboxEntry(Struct, frozen=True):
    """An event that the commit decided and that may not have been published yet."""

    id: int  # rises within the session, never reused
    exchange: str
    key: str
    type: str
    payload: bytes


class StreamEntry(Struct, frozen=True):
    """One durable entry of the session's stream. `outgoing`: the visitor of a channel must be sent it."""

    seq: int
    message_id: str
    payload: bytes  # a serialised StreamEvent
    at: float
    dedup_key: str | None = None  # of `dedup_key()`; unique in the tenant for ever
    outgoing: bool = False


class SessionRecord(Struct, frozen=True, kw_only=True):
    """One session as it is stored. `state` is the machine's own; the other fields are what is searched by."""

    tenant: str
    session: str
    shard: int
    version: int  # of this record: 1 when it is first stored, then one more with every commit
    shard_epoch: int  # of the owner that wrote it
    state: bytes
    status: str
    epoch: int  # of the stream
    head_seq: int
    channel: str = ""
    external_id: str = ""  # of the visitor in its channel; unique per (tenant, channel) unless empty
    agent: str = ""
    opened_at: float = 0.0
    changed_at: float = 0.0
    waiting_since: float | None = None
    due_at: float | None = None  # when the owner must look at it again
    pending: tuple[OutboxEntry, ...] = ()  # everything not known to be published, oldest first
    recent_ids: bytes = b""  # the machine's own too: which messages it stored last

    @property
    def at(self) -> SessionKey:
        """The key that it is stored under."""
        return SessionKey(self.tenant, self.session)


class SessionCommit(Struct, frozen=True):
    """One decision: the new record, which replaces exactly version - 1, and the entries that it adds to the stream."""

    record: SessionRecord
    entries: tuple[StreamEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class SentMark:
    """Every entry in `pending` of this version has been published and confirmed."""

    tenant: str
    session: str
    version: int


@dataclass(frozen=True, slots=True)
class History:
    """A page of a stream, oldest first, and where the stream stands."""

    epoch: int
    head_seq: int
    entries: tuple[StreamEntry, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """Where the first copy of a repeated message is."""

    session: str
    message_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class OutgoingEntry:
    """An entry that a channel's adapter has to send. Asking after `cursor` gives the entries behind it."""

    session: str
    recipient: str
    entry: StreamEntry
    cursor: str


@dataclass(frozen=True, slots=True)
class SessionPage:
    """A page of a listing; `next` is empty on the last one."""

    sessions: tuple[SessionRecord, ...]
    next: str = ""


def dedup_key(channel: str, external_id: str, *, session: str = "") -> str:
    """What makes a message the same message. Give `session` where ids are only unique within it (web clients)."""
    return f"{channel}\x1f{session}\x1f{external_id}"


def is_of_session(key: str, session: str) -> bool:
    """Whether no other session can ever have this dedup key."""
    return f"\x1f{session}\x1f" in key and key.split("\x1f", 2)[1] == session


def visitor_session(tenant: str, channel: str, external_id: str) -> SessionId:
    """The session id that a channel's visitor has from its first message on: a hash, so two firsts at once agree."""
    digest = hashlib.blake2b(f"{tenant}\x1f{channel}\x1f{external_id}".encode(), digest_size=15).digest()
    return SessionId(f"ses_{base64.b32hexencode(digest).decode().lower()}")
