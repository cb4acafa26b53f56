"""Rows of the SQLite store: how a record becomes one and back."""

from typing import Any

from parley_session_router.store.packing import pack_pending, pack_recent, unpack_pending, unpack_recent
from parley_session_router.store.pages import order_at
from parley_session_router.store.records import SessionRecord, StreamEntry

_COLUMNS = (
    *("shard", "version", "shard_epoch", "status", "epoch", "head_seq", "channel", "external_id", "agent"),
    *("opened_at", "changed_at", "waiting_since", "due_at", "order_at", "unsent", "state", "pending", "recent_ids"),
    *("tenant", "session"),
)
COLUMNS = ", ".join(_COLUMNS)
INSERT = f"INSERT OR IGNORE INTO sessions ({COLUMNS}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
UPDATE = (
    f"UPDATE OR IGNORE sessions SET {', '.join(f'{name} = ?' for name in _COLUMNS[:-2])} "  # noqa: S608
    "WHERE tenant = ? AND session = ? AND version = ?"
)
ENTRY_COLUMNS = "seq, message_id, payload, at, dedup_key, outgoing"
INSERT_ENTRY = f"INSERT INTO messages ({ENTRY_COLUMNS}, tenant, session) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
Row = tuple[Any, ...]


def row_of(record: SessionRecord) -> Row:
    """Values for `INSERT`, and, with the expected version behind them, for `UPDATE`."""
    return (
        record.shard,
        record.version,
        record.shard_epoch,
        record.status,
        record.epoch,
        record.head_seq,
        record.channel,
        record.external_id,
        record.agent,
        record.opened_at,
        record.changed_at,
        record.waiting_since,
        record.due_at,
        order_at(record),
        1 if record.pending else 0,
        record.state,
        pack_pending(record.pending),
        pack_recent(record.recent_ids),
        record.tenant,
        record.session,
    )


def record_of(row: Row) -> SessionRecord:
    """From the columns in `COLUMNS`."""
    values = dict(zip(_COLUMNS, row, strict=True))
    del values["order_at"], values["unsent"]
    values["pending"] = unpack_pending(values["pending"])
    values["recent_ids"] = unpack_recent(values["recent_ids"])
    return SessionRecord(**values)


def entry_row(record: SessionRecord, entry: StreamEntry) -> Row:
    """Values for `INSERT_ENTRY`."""
    outgoing = record.channel if entry.outgoing else None
    return (
        entry.seq,
        entry.message_id,
        entry.payload,
        entry.at,
        entry.dedup_key,
        outgoing,
        record.tenant,
        record.session,
    )


def entry_of(row: Row) -> StreamEntry:
    """From the columns in `ENTRY_COLUMNS`."""
    seq, message_id, payload, at, key, outgoing = row
    return StreamEntry(seq, message_id, payload, at, key, outgoing is not None)
