"""Where sessions are kept: the port, its values, and two adapters behind one URL."""

from parley_session_router.store.opening import open_store
from parley_session_router.store.port import SessionStore
from parley_session_router.store.records import (
    RECENT_IDS,
    History,
    OutboxEntry,
    OutgoingEntry,
    SentMark,
    SessionCommit,
    SessionKey,
    SessionPage,
    SessionRecord,
    StoredMessage,
    StreamEntry,
    dedup_key,
    visitor_session,
)

__all__ = [
    "RECENT_IDS",
    "History",
    "OutboxEntry",
    "OutgoingEntry",
    "SentMark",
    "SessionCommit",
    "SessionKey",
    "SessionPage",
    "SessionRecord",
    "SessionStore",
    "StoredMessage",
    "StreamEntry",
    "dedup_key",
    "open_store",
    "visitor_session",
]
