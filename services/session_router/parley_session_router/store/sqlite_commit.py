"""The one write of the SQLite store that matters: many decisions, each all or nothing, in one transaction."""

import sqlite3
from collections.abc import Sequence

from parley_session_router.store.records import SessionCommit, SessionRecord
from parley_session_router.store.sqlite_rows import INSERT, INSERT_ENTRY, UPDATE, entry_row, row_of


def commit_batch(connection: sqlite3.Connection, batch: Sequence[SessionCommit]) -> list[bool]:
    """Store what is not stale. A dedup key that is already known refuses its own session's decision only."""
    epochs = dict(connection.execute("SELECT shard, epoch FROM shards").fetchall())
    owned = [commit.record.shard_epoch >= epochs.get(commit.record.shard, 0) for commit in batch]
    connection.execute("SAVEPOINT batch")
    try:
        stored = [mine and _put(connection, commit.record) for mine, commit in zip(owned, batch, strict=True)]
        _append(connection, [commit for commit, ok in zip(batch, stored, strict=True) if ok])
    except sqlite3.IntegrityError:
        connection.execute("ROLLBACK TO batch")
        stored = [mine and _put_alone(connection, commit) for mine, commit in zip(owned, batch, strict=True)]
    connection.execute("RELEASE batch")
    return stored


def _put(connection: sqlite3.Connection, record: SessionRecord) -> bool:
    row = row_of(record)
    if record.version == 1:
        return connection.execute(INSERT, row).rowcount == 1
    return connection.execute(UPDATE, (*row, record.version - 1)).rowcount == 1


def _append(connection: sqlite3.Connection, commits: Sequence[SessionCommit]) -> None:
    rows = [entry_row(commit.record, entry) for commit in commits for entry in commit.entries]
    if rows:
        connection.executemany(INSERT_ENTRY, rows)


def _put_alone(connection: sqlite3.Connection, commit: SessionCommit) -> bool:
    connection.execute("SAVEPOINT one")
    try:
        stored = _put(connection, commit.record)
        if stored:
            _append(connection, [commit])
    except sqlite3.IntegrityError:
        connection.execute("ROLLBACK TO one")
        stored = False
    connection.execute("RELEASE one")
    return stored
