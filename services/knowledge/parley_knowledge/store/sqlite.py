"""Documents in SQLite: a version, its passages and the tenant's revision change in one transaction."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields, replace
from functools import partial
from pathlib import Path
from typing import Final

from parley.core import Conflict
from parley.database import SqliteDatabase
from parley_knowledge.documents import Chunk, Record

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_COLUMNS: Final = ", ".join(f.name for f in fields(Record))
_SELECT: Final = f"SELECT {_COLUMNS} FROM knowledge_documents WHERE tenant_id = ?"  # noqa: S608 - our own names
_SAVE: Final = (
    f"INSERT OR REPLACE INTO knowledge_documents ({_COLUMNS}) "  # noqa: S608 - our own names
    f"VALUES ({', '.join('?' * len(fields(Record)))})"
)
_REVISE: Final = (
    "INSERT INTO knowledge_revisions VALUES (?, 1) ON CONFLICT (tenant_id) DO UPDATE SET revision = revision + 1"
)
_AT_ONCE: Final = 500  # parameters in one statement


class SqliteDocuments:
    """A DocumentStore on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def find(self, tenant: str, document_id: str) -> Record | None:
        """A document, also when it has been removed."""
        found = await self._records(f"{_SELECT} AND document_id = ?", tenant, document_id)
        return found[0] if found else None

    async def all(self, tenant: str) -> list[Record]:
        """Every document that is not removed."""
        return await self._records(f"{_SELECT} AND removed = 0", tenant)

    async def page(self, tenant: str, after: str, limit: int) -> list[Record]:
        """Those whose uri comes after `after`."""
        return await self._records(f"{_SELECT} AND removed = 0 AND uri > ? ORDER BY uri LIMIT ?", tenant, after, limit)

    async def publish(self, record: Record, chunks: Sequence[Chunk], *, replaces: Record | None) -> None:
        """Make a version live. Raises Conflict."""
        await self._database.write(lambda connection: _publish(connection, record, chunks, replaces))

    async def chunks(self, tenant: str, chunk_sets: Sequence[str]) -> Mapping[str, list[Chunk]]:
        """The passages of these versions."""
        found: dict[str, list[Chunk]] = defaultdict(list)
        for begin in range(0, len(chunk_sets), _AT_ONCE):
            read = partial(_chunks, tenant=tenant, chunk_sets=chunk_sets[begin : begin + _AT_ONCE])
            for chunk_set, place, text in await self._database.read(read):
                found[chunk_set].append(Chunk(place, text))
        return found

    async def revisions(self) -> Mapping[str, int]:
        """How often each tenant's knowledge has changed."""
        sql = "SELECT tenant_id, revision FROM knowledge_revisions"
        return dict(await self._database.read(lambda connection: connection.execute(sql).fetchall()))

    async def _records(self, sql: str, *values: str | int) -> list[Record]:
        rows = await self._database.read(lambda connection: connection.execute(sql, values).fetchall())
        return [replace(Record(*row), removed=bool(row[-1])) for row in rows]


def _publish(connection: sqlite3.Connection, record: Record, chunks: Sequence[Chunk], replaces: Record | None) -> None:
    key = (record.tenant_id, record.document_id)
    sql = "SELECT version FROM knowledge_documents WHERE tenant_id = ? AND document_id = ?"
    stands = connection.execute(sql, key).fetchone()
    if (stands[0] if stands else None) != (replaces.version if replaces else None):
        raise Conflict(f"{record.uri} was changed by somebody else at the same time; try again")
    if replaces:
        old = (record.tenant_id, replaces.chunk_set)
        connection.execute("DELETE FROM knowledge_chunks WHERE tenant_id = ? AND chunk_set = ?", old)
    rows = [(record.tenant_id, record.chunk_set, n, chunk.place, chunk.text) for n, chunk in enumerate(chunks)]
    connection.executemany("INSERT INTO knowledge_chunks VALUES (?, ?, ?, ?, ?)", rows)
    connection.execute(_SAVE, astuple(record))
    connection.execute(_REVISE, (record.tenant_id,))


def _chunks(connection: sqlite3.Connection, tenant: str, chunk_sets: Sequence[str]) -> list[tuple[str, str, str]]:
    marks = ", ".join("?" * len(chunk_sets))
    sql = (
        "SELECT chunk_set, place, text FROM knowledge_chunks "  # noqa: S608 - only question marks are put in
        f"WHERE tenant_id = ? AND chunk_set IN ({marks}) ORDER BY chunk_set, ordinal"
    )
    return connection.execute(sql, (tenant, *chunk_sets)).fetchall()
