"""Rows of the SQLite store: how a record becomes one and back."""

from functools import cache
from typing import Any

from parley_session_router.store.packing import pack_pending, unpack_pending
from parley_session_router.store.pages import order_at
from parley_session_router.store.records import SessionRecord, StreamEntry

_COLUMNS = (
    *("shard", "version", "shard_epoch", "status", "epoch", "head_seq", "channel", "external_id", "agent"),
    *("opened_at", "changed_at", "waiting_since", "due_at", "order_at", "unsent", "state", "pending", "recent_ids"),
    *("tenant", "session"),
)
COLUMNS = ", ".join(_COLUMNS)
_AT = {name: f"given.column{place}" for place, name in enumerate(_COLUMNS, 1)}
_NEWEST_OWNER = f"{_AT['shard_epoch']} >= coalesce((SELECT epoch FROM shards WHERE shards.shard = {_AT['shard']}), 0)"  # noqa: S608
ENTRY_COLUMNS = "seq, message_id, payload, at, dedup_key, outgoing"
Row = tuple[Any, ...]


@cache
def insert_sessions(count: int) -> str:
    """So many new sessions, but for those that exist or whose owner is not the newest."""
    return (
        f"INSERT OR IGNORE INTO sessions ({COLUMNS}) SELECT * FROM ({_values(len(_COLUMNS), count)}) AS given "  # noqa: S608
        f"WHERE {_NEWEST_OWNER}"
    )


@cache
def update_sessions(count: int) -> str:
    """So many changed sessions, but for those that have moved on or whose owner is not the newest."""
    changes = ", ".join(f"{name} = {_AT[name]}" for name in _COLUMNS[:-2])
    return (
        f"UPDATE OR IGNORE sessions SET {changes} FROM ({_values(len(_COLUMNS), count)}) AS given "  # noqa: S608
        f"WHERE sessions.tenant = {_AT['tenant']} AND sessions.session = {_AT['session']} "
        f"AND sessions.version = {_AT['version']} - 1 AND {_NEWEST_OWNER}"
    )


@cache
def insert_entries(count: int) -> str:
    """So many entries; raises IntegrityError for a place or a dedup key that is taken."""
    return f"INSERT INTO messages ({ENTRY_COLUMNS}, tenant, session) {_values(8, count)}"


def _values(columns: int, rows: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"VALUES {', '.join([row] * rows)}"


def row_of(record: SessionRecord) -> Row:
    """Values for `insert_sessions` and `update_sessions`."""
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
        record.recent_ids,
        record.tenant,
        record.session,
    )


def record_of(row: Row) -> SessionRecord:
    """From the columns in `COLUMNS`."""
    values = dict(zip(_COLUMNS, row, strict=True))
    del values["order_at"], values["unsent"]
    values["pending"] = unpack_pending(values["pending"])
    return SessionRecord(**values)


def entry_row(record: SessionRecord, entry: StreamEntry) -> Row:
    """Values for `insert_entries`."""
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
