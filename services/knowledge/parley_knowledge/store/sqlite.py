"""Knowledge in SQLite: contents, and a release with all that it changes in one transaction."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from parley.core import Conflict
from parley.database import SqliteDatabase
from parley_knowledge.documents import Chunk, Record
from parley_knowledge.releases import Change, Proposal, Release, State, Wanted
from parley_knowledge.store.port import Kept
from parley_knowledge.store.rows import COLUMNS, labels_json, record_of

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_AT_ONCE: Final = 500  # parameters in one statement
_CONTENT: Final = ", ".join(COLUMNS)
_PROPOSAL: Final = "tenant_id, proposal_id, at, author, note, state, number"
_CHUNKS: Final = (
    "SELECT c.chunk_set, p.place, p.text FROM knowledge_contents AS c, json_each(c.passages) AS j "
    "JOIN knowledge_passages AS p ON p.tenant_id = c.tenant_id AND p.hash = j.value "
    "WHERE c.tenant_id = ? AND c.chunk_set IN ({marks}) ORDER BY c.chunk_set, j.key"
)


class SqliteDocuments:
    """A DocumentStore on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def heads(self) -> Mapping[str, int]:
        """The number of each tenant's last release."""
        return dict(await self._rows("SELECT tenant_id, number FROM knowledge_heads"))

    async def releases(self, tenant: str, after: int) -> list[Release]:
        """Those numbered above `after`."""
        return await self._database.read(partial(_releases, tenant=tenant, after=after))

    async def keep(self, kept: Sequence[Kept]) -> None:
        """Store contents that nobody sees yet."""
        await self._database.write(lambda connection: _keep(connection, kept))

    async def publish(self, release: Release, kept: Sequence[Kept] = ()) -> None:
        """Make a release live. Raises Conflict."""
        await self._database.write(lambda connection: _publish(connection, release, kept))

    async def records(self, tenant: str, chunk_sets: Sequence[str]) -> Mapping[str, Record]:
        """Contents without passages."""
        sql = (
            f"SELECT labels, {_CONTENT} FROM knowledge_contents "  # noqa: S608 - our own names
            "WHERE tenant_id = ? AND chunk_set IN ({marks})"
        )
        rows = await self._some(sql, tenant, chunk_sets)
        found = (record_of(tenant, dict(zip(COLUMNS, row[1:], strict=True)), row[0]) for row in rows)
        return {record.chunk_set: record for record in found}

    async def chunks(self, tenant: str, chunk_sets: Sequence[str]) -> Mapping[str, list[Chunk]]:
        """The passages of these contents."""
        found: dict[str, list[Chunk]] = defaultdict(list)
        for chunk_set, place, text in await self._some(_CHUNKS, tenant, chunk_sets):
            found[chunk_set].append(Chunk(place, text))
        return found

    async def open_proposal(self, proposal: Proposal) -> None:
        """Begin a draft."""
        p = proposal
        values = (p.tenant_id, p.proposal_id, p.at, p.author, p.note, str(p.state), p.number)
        await self._write("INSERT INTO knowledge_proposals VALUES (?, ?, ?, ?, ?, ?, ?)", *values)

    async def propose(self, tenant: str, proposal_id: str, wanted: Wanted) -> None:
        """Add to a draft."""
        sql = "INSERT OR REPLACE INTO knowledge_proposed VALUES (?, ?, ?, ?, ?, ?)"
        w = wanted
        await self._write(sql, tenant, proposal_id, w.document_id, w.uri, w.chunk_set, w.source)

    async def proposals(self, tenant: str) -> list[Proposal]:
        """All of them, the latest first."""
        sql = (
            f"SELECT {_PROPOSAL} FROM knowledge_proposals "  # noqa: S608 - our own names
            "WHERE tenant_id = ? ORDER BY at DESC, proposal_id"
        )
        return [_proposal(row) for row in await self._rows(sql, tenant)]

    async def proposal(self, tenant: str, proposal_id: str) -> Proposal | None:
        """One of them."""
        sql = (
            f"SELECT {_PROPOSAL} FROM knowledge_proposals "  # noqa: S608 - our own names
            "WHERE tenant_id = ? AND proposal_id = ?"
        )
        rows = await self._rows(sql, tenant, proposal_id)
        return _proposal(rows[0]) if rows else None

    async def proposed(self, tenant: str, proposal_id: str) -> list[Wanted]:
        """What a draft holds."""
        sql = (
            "SELECT document_id, uri, chunk_set, source FROM knowledge_proposed "
            "WHERE tenant_id = ? AND proposal_id = ? ORDER BY uri"
        )
        return [Wanted(*row) for row in await self._rows(sql, tenant, proposal_id)]

    async def move(self, proposal: Proposal, state: State, number: int = 0) -> bool:
        """Compare and set the state."""
        sql = (
            "UPDATE knowledge_proposals SET state = ?, number = ? WHERE tenant_id = ? AND proposal_id = ? AND state = ?"
        )
        key = (proposal.tenant_id, proposal.proposal_id, str(proposal.state))
        return await self._write(sql, str(state), number, *key) == 1

    async def _rows(self, sql: str, *values: Any) -> list[Any]:
        return await self._database.read(lambda connection: connection.execute(sql, values).fetchall())

    async def _write(self, sql: str, *values: Any) -> int:
        return await self._database.write(lambda connection: connection.execute(sql, values).rowcount)

    async def _some(self, sql: str, tenant: str, names: Sequence[str]) -> list[Any]:
        """The rows of many names, some at a time."""
        found: list[Any] = []
        for begin in range(0, len(names), _AT_ONCE):
            some = names[begin : begin + _AT_ONCE]
            found.extend(await self._rows(sql.format(marks=", ".join("?" * len(some))), tenant, *some))
        return found


def _releases(connection: sqlite3.Connection, *, tenant: str, after: int) -> list[Release]:
    sql = (
        "SELECT number, at, author, note, proposal_id FROM knowledge_releases "
        "WHERE tenant_id = ? AND number > ? ORDER BY number"
    )
    rows = connection.execute(sql, (tenant, after)).fetchall()
    if not rows:
        return []
    # After the releases: what is published between the two reads must not come without its changes.
    changes: dict[int, list[Change]] = defaultdict(list)
    sql = (
        "SELECT number, document_id, uri, chunk_set, version, source FROM knowledge_changes "
        "WHERE tenant_id = ? AND number BETWEEN ? AND ?"
    )
    for number, *change in connection.execute(sql, (tenant, after + 1, rows[-1][0])):
        changes[number].append(Change(*change))
    return [Release(tenant, row[0], row[1], tuple(changes[row[0]]), *row[2:]) for row in rows]


def _keep(connection: sqlite3.Connection, kept: Sequence[Kept]) -> None:
    passages = [(k.record.tenant_id, c.hash, c.place, c.text) for k in kept for c in k.chunks]
    connection.executemany("INSERT OR IGNORE INTO knowledge_passages VALUES (?, ?, ?, ?)", passages)
    marks = ", ".join("?" * (len(COLUMNS) + 3))
    connection.executemany(
        f"INSERT OR IGNORE INTO knowledge_contents (tenant_id, labels, passages, {_CONTENT}) "  # noqa: S608
        f"VALUES ({marks})",
        [_content(one) for one in kept],
    )


def _content(kept: Kept) -> tuple[Any, ...]:
    record = kept.record
    passages = json.dumps([chunk.hash for chunk in kept.chunks])
    return (record.tenant_id, labels_json(record.labels), passages, *(getattr(record, name) for name in COLUMNS))


def _publish(connection: sqlite3.Connection, release: Release, kept: Sequence[Kept]) -> None:
    tenant, number = release.tenant_id, release.number
    head = connection.execute("SELECT number FROM knowledge_heads WHERE tenant_id = ?", (tenant,)).fetchone()
    if (head[0] if head else 0) != number - 1:
        raise Conflict("the knowledge was changed by somebody else at the same time; try again")
    _keep(connection, kept)
    connection.execute(
        "INSERT INTO knowledge_releases VALUES (?, ?, ?, ?, ?, ?)",
        (tenant, number, release.at, release.author, release.note, release.proposal_id),
    )
    connection.executemany(
        "INSERT INTO knowledge_changes VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(tenant, number, c.document_id, c.uri, c.chunk_set, c.version, c.source) for c in release.changes],
    )
    connection.execute("INSERT OR REPLACE INTO knowledge_heads VALUES (?, ?)", (tenant, number))


def _proposal(row: Sequence[Any]) -> Proposal:
    tenant, proposal_id, at, author, note, state, number = row
    return Proposal(tenant, proposal_id, at, author, note, State(state), number)
