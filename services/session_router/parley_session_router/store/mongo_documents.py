"""Documents of the MongoDB store: one per session with its uncopied entries, one per message, one per outgoing entry.

Messages whose id is unique beyond their session have one more, their claim.
Keys are strings of parts joined by U+001F, so that every hot read is a point read by `_id` or by a unique index.
"""

from collections.abc import Iterable
from typing import Any

from parley.database.mongo import Index
from parley_session_router.store.packing import pack_pending, unpack_pending
from parley_session_router.store.pages import order_at
from parley_session_router.store.records import SessionKey, SessionRecord, StreamEntry

Document = dict[str, Any]

INSTALLATION = "installation"
SHARDS = "shards"
SESSIONS = "sessions"
MESSAGES = "messages"
OUTGOING = "outgoing"
INBOX = "inbox"
INDEXES = {
    SESSIONS: (
        Index(("visitor",), unique=True),
        Index(("_id", "version"), unique=True),  # the compare-and-set, also where a server plans poorly
        Index(("shard", "unsent")),
        Index(("shard", "uncopied")),
        Index(("shard", "due_at")),
        Index(("shard", "status")),
        Index(("tenant", "status", "order_at", "session")),
        Index(("tenant", "order_at", "session")),
    ),
    MESSAGES: (Index(("once",), unique=True),),
    OUTGOING: (Index(("entry",), unique=True), Index(("tenant", "channel", "-position"))),
}
_PLAIN = (
    *("tenant", "session", "shard", "version", "shard_epoch", "state", "status", "epoch", "head_seq"),
    *("channel", "external_id", "agent", "opened_at", "changed_at", "waiting_since", "due_at"),
)
RECORD = dict.fromkeys((*_PLAIN, "pending", "recent_ids"), 1)


def joined(*parts: str) -> str:
    """A key of parts. The last part may hold anything, the others must not hold U+001F."""
    return "\x1f".join(parts)


def session_id(key: SessionKey) -> str:
    """`_id` of a session."""
    return joined(key.tenant, key.session)


def message_id(key: SessionKey, seq: int) -> str:
    """`_id` of a message: what makes copying it twice harmless."""
    return joined(key.tenant, key.session, str(seq))


def once(tenant: str, dedup_key: str) -> str:
    """The value that is unique among messages for ever."""
    return joined(tenant, dedup_key)


def visitor(tenant: str, channel: str, external_id: str) -> str:
    """The value that is unique among sessions."""
    return joined(tenant, channel, external_id)


def session_fields(record: SessionRecord, tail: Iterable[StreamEntry]) -> Document:
    """Everything but `_id`. Without an external id the visitor is nobody, which the unique index must allow."""
    fields: Document = {name: getattr(record, name) for name in _PLAIN}
    entries = [tail_document(entry) for entry in tail]
    fields |= {
        "visitor": visitor(record.tenant, record.channel, record.external_id)
        if record.external_id
        else joined("", session_id(record.at)),
        "order_at": order_at(record),
        "pending": pack_pending(record.pending),
        "recent_ids": record.recent_ids,
        "unsent": bool(record.pending),
        "tail": entries,
        "uncopied": bool(entries),
    }
    return fields


def record_of(document: Document) -> SessionRecord:
    """From a session's document, its tail left aside."""
    return SessionRecord(
        **{name: document[name] for name in _PLAIN},
        pending=unpack_pending(document["pending"]),
        recent_ids=document["recent_ids"],
    )


def tail_document(entry: StreamEntry) -> Document:
    """An entry inside its session's document."""
    return {
        "seq": entry.seq,
        "message_id": entry.message_id,
        "payload": entry.payload,
        "at": entry.at,
        "dedup_key": entry.dedup_key,
        "outgoing": entry.outgoing,
    }


def message_document(key: SessionKey, entry: StreamEntry) -> Document:
    """An entry as it stays."""
    own = message_id(key, entry.seq)
    return {
        "_id": own,
        "tenant": key.tenant,
        "session": key.session,
        "once": once(key.tenant, entry.dedup_key) if entry.dedup_key is not None else joined("", own),
        **tail_document(entry),
    }


def entry_of(document: Document) -> StreamEntry:
    """From a tail's element or a message."""
    return StreamEntry(
        document["seq"],
        document["message_id"],
        document["payload"],
        document["at"],
        document["dedup_key"],
        document["outgoing"],
    )
