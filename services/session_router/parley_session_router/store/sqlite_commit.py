"""The one write of the SQLite store that matters: many decisions of many shards in a few statements.

Each decision is all or nothing. That its session has not moved on and that its owner is the newest is asked in the
statement itself; when fewer rows change than were given, they are written one by one to learn which were refused.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain

from parley_session_router.store.records import SessionCommit
from parley_session_router.store.sqlite_rows import (
    Row,
    entry_row,
    insert_entries,
    insert_sessions,
    row_of,
    update_sessions,
)

AT_ONCE = 32  # rows in one statement


class Refused(Exception):
    """Not every decision of a group could be stored: which ones is learnt by storing each batch by itself."""


def commit_batches(connection: sqlite3.Connection, batches: list[Sequence[SessionCommit]]) -> list[list[bool]]:
    """Store what is not stale. A dedup key that is already known refuses its own session's decision only.

    Raises Refused when several batches cannot be stored as they are.
    """
    if len(batches) == 1:
        return [_stored_in_part(connection, batches[0])]
    if not _stored(connection, list(chain.from_iterable(batches))):
        raise Refused
    return [[True] * len(batch) for batch in batches]


def _stored_in_part(connection: sqlite3.Connection, batch: Sequence[SessionCommit]) -> list[bool]:
    connection.execute("SAVEPOINT batch")
    stored = [True] * len(batch)
    if not _stored(connection, batch):
        connection.execute("ROLLBACK TO batch")
        stored = [_stored_alone(connection, commit) for commit in batch]
    connection.execute("RELEASE batch")
    return stored


def _stored(connection: sqlite3.Connection, commits: Sequence[SessionCommit]) -> bool:
    """Whether all of them could be stored; if not, some may have been."""
    new = [row_of(commit.record) for commit in commits if commit.record.version == 1]
    known = [row_of(commit.record) for commit in commits if commit.record.version != 1]
    entries = [entry_row(commit.record, entry) for commit in commits for entry in commit.entries]
    changed = sum(connection.execute(insert_sessions(len(part)), flat(part)).rowcount for part in parts(new))
    changed += sum(connection.execute(update_sessions(len(part)), flat(part)).rowcount for part in parts(known))
    if changed != len(commits):
        return False
    try:
        for part in parts(entries):
            connection.execute(insert_entries(len(part)), flat(part))
    except sqlite3.IntegrityError:
        return False
    return True


def _stored_alone(connection: sqlite3.Connection, commit: SessionCommit) -> bool:
    connection.execute("SAVEPOINT one")
    stored = _stored(connection, [commit])
    if not stored:
        connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")
    return stored


def parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """As many as one statement takes."""
    return (rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE))


def flat(rows: Sequence[Row]) -> list[object]:
    """All values, row after row."""
    return list(chain.from_iterable(rows))
