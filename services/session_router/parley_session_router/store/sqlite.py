"""Sessions in one SQLite file: entries go straight into `messages`, in the transaction of their commit."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from parley.database import SqliteDatabase
from parley_session_router.store import cursors
from parley_session_router.store.installation import same_shards
from parley_session_router.store.packing import NOTHING
from parley_session_router.store.pages import next_page, position, window
from parley_session_router.store.records import (
    History,
    OutgoingEntry,
    SentMark,
    SessionCommit,
    SessionKey,
    SessionPage,
    SessionRecord,
    StoredMessage,
)
from parley_session_router.store.sqlite_commit import commit_batches, flat, parts
from parley_session_router.store.sqlite_rows import COLUMNS, ENTRY_COLUMNS, entry_of, record_of

MIGRATIONS = Path(__file__).parent / "migrations"
_SELECT = f"SELECT {COLUMNS} FROM sessions"  # noqa: S608


class SqliteStore:
    """See `SessionStore`."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def check_shards(self, shards: int) -> None:
        """Kept in one row of `installation`."""

        def remember(connection: sqlite3.Connection) -> int:
            connection.execute("INSERT OR IGNORE INTO installation VALUES ('shards', ?)", (shards,))
            return int(connection.execute("SELECT value FROM installation WHERE name = 'shards'").fetchone()[0])

        same_shards(await self._database.write(remember), shards)

    async def claim_shard(self, shard: int) -> int:
        """One statement, so two owners never get the same epoch."""
        statement = (
            "INSERT INTO shards VALUES (?, 1) ON CONFLICT (shard) DO UPDATE SET epoch = epoch + 1 RETURNING epoch"
        )
        return int(await self._database.write(lambda c: c.execute(statement, (shard,)).fetchone()[0]))

    async def load(self, keys: Sequence[SessionKey]) -> dict[SessionKey, SessionRecord]:
        """Point reads by key."""

        def find(connection: sqlite3.Connection) -> list[SessionRecord]:
            found = []
            for part in parts(keys):
                statement = f"{_SELECT} WHERE (tenant, session) IN (VALUES {', '.join(['(?, ?)'] * len(part))})"
                found += [record_of(row) for row in connection.execute(statement, flat(part)).fetchall()]
            return found

        return {record.at: record for record in await self._database.read(find)}

    async def commit(self, batch: Sequence[SessionCommit]) -> list[bool]:
        """One transaction with whatever else waits to be written, together with the other shards' batches."""
        stored: list[bool] = await self._database.write_together(commit_batches, batch)
        return stored

    async def find_duplicates(self, key: SessionKey, dedup_keys: Sequence[str]) -> Mapping[str, StoredMessage]:
        """By the unique index of `messages`."""
        statement = "SELECT session, message_id, seq FROM messages WHERE tenant = ? AND dedup_key = ?"

        def find(connection: sqlite3.Connection) -> dict[str, StoredMessage]:
            rows = {name: connection.execute(statement, (key.tenant, name)).fetchone() for name in dedup_keys}
            return {name: StoredMessage(*row) for name, row in rows.items() if row}

        return await self._database.read(find)

    async def clear_outbox(self, sent: Sequence[SentMark]) -> None:
        """One transaction; what has moved on is left alone."""
        statement = (
            "UPDATE sessions SET pending = ?, unsent = 0 WHERE tenant = ? AND session = ? AND version = ? AND unsent"
        )
        rows = [(NOTHING, mark.tenant, mark.session, mark.version) for mark in sent]
        await self._database.write(lambda connection: connection.executemany(statement, rows) and None)

    async def pending(self, shard: int, limit: int = 500) -> list[SessionRecord]:
        """By the partial index of unsent sessions."""
        return await self._records(f"{_SELECT} WHERE shard = ? AND unsent = 1 LIMIT ?", shard, limit)

    async def due(self, shard: int, now: float, limit: int = 500) -> list[SessionRecord]:
        """By the partial index of sessions with a timer."""
        return await self._records(
            f"{_SELECT} WHERE shard = ? AND due_at <= ? ORDER BY due_at LIMIT ?", shard, now, limit
        )

    async def next_due(self, shard: int) -> float | None:
        """The first entry of the same index."""
        statement = "SELECT min(due_at) FROM sessions WHERE shard = ? AND due_at IS NOT NULL"

        def find(connection: sqlite3.Connection) -> float | None:
            earliest: float | None = connection.execute(statement, (shard,)).fetchone()[0]
            return earliest

        return await self._database.read(find)

    async def waiting(self, shard: int) -> int:
        """By the partial index of sessions that wait."""
        statement = "SELECT count(*) FROM sessions WHERE shard = ? AND status = 'waiting'"

        def find(connection: sqlite3.Connection) -> int:
            return int(connection.execute(statement, (shard,)).fetchone()[0])

        return await self._database.read(find)

    async def copy_tails(self, shard: int | None = None) -> int:
        """Nothing is ever left: entries are stored where they stay."""
        return 0

    async def history(
        self, key: SessionKey, *, after_seq: int = 0, limit: int = 100, before_seq: int | None = None
    ) -> History | None:
        """A range of seqs, never beyond the head that was read first."""

        def find(connection: sqlite3.Connection) -> History | None:
            head = connection.execute(
                "SELECT epoch, head_seq FROM sessions WHERE tenant = ? AND session = ?", key
            ).fetchone()
            if head is None:
                return None
            first, last = window(head[1], after_seq, limit, before_seq)
            rows = connection.execute(
                f"SELECT {ENTRY_COLUMNS} FROM messages "  # noqa: S608
                "WHERE tenant = ? AND session = ? AND seq BETWEEN ? AND ? ORDER BY seq",
                (*key, first, last),
            )
            return History(head[0], head[1], tuple(entry_of(row) for row in rows))

        return await self._database.read(find)

    async def list_sessions(self, tenant: str, *, status: str = "", after: str = "", limit: int = 100) -> SessionPage:
        """By the index of (tenant, status, order)."""
        of_status = "AND status = ?" if status else ""
        found = await self._records(
            f"{_SELECT} WHERE tenant = ? {of_status} AND (order_at, session) > (?, ?) "
            "ORDER BY order_at, session LIMIT ?",
            *(tenant, status) if status else (tenant,),
            *position(after),
            limit,
        )
        return SessionPage(tuple(found), next_page(found, limit))

    async def resolve(self, tenant: str, channel: str, external_id: str) -> str | None:
        """By the unique index of visitors."""
        statement = (
            "SELECT session FROM sessions WHERE tenant = ? AND channel = ? AND external_id = ? AND external_id != ''"
        )

        def find(connection: sqlite3.Connection) -> str | None:
            row = connection.execute(statement, (tenant, channel, external_id)).fetchone()
            return str(row[0]) if row else None

        return await self._database.read(find)

    async def channel_outbox(
        self, tenant: str, channel: str, *, cursor: str = "", limit: int = 100
    ) -> list[OutgoingEntry]:
        """In the order of commits, which one writer makes the order of positions."""
        (seen,) = cursors.unpack(cursor, tuple[int]) if cursor else (0,)
        statement = f"""
            SELECT position, m.session, external_id, {ENTRY_COLUMNS} FROM messages m
            JOIN sessions s ON s.tenant = m.tenant AND s.session = m.session
            WHERE m.tenant = ? AND outgoing = ? AND position > ? ORDER BY position LIMIT ?"""  # noqa: S608

        def find(connection: sqlite3.Connection) -> list[OutgoingEntry]:
            rows = connection.execute(statement, (tenant, channel, seen, limit))
            return [OutgoingEntry(row[1], row[2], entry_of(row[3:]), cursors.pack(row[0])) for row in rows]

        return await self._database.read(find)

    async def ping(self) -> None:
        """Goes through the writer."""
        await self._database.ping()

    async def _records(self, statement: str, *values: object) -> list[SessionRecord]:
        return await self._database.read(lambda c: [record_of(row) for row in c.execute(statement, values)])
