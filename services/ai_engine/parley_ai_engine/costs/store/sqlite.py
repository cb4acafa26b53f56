"""Records of calls in the SQLite file."""

import sqlite3
from pathlib import Path
from typing import Any, Final

from parley.database import SqliteDatabase
from parley_ai_engine.costs.store.port import BY, CostQuery, CostSum, read_tariff, row_of
from parley_ai_engine.costs.usage import Usage

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_COUNTS: Final = ("input_tokens", "cached_tokens", "output_tokens", "estimated", "used")
_SUMS: Final = f"price, instead, saved_by, COUNT(*), {', '.join(f'SUM({name})' for name in _COUNTS)}"


class SqliteCosts:
    """See `CostStore`."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def add(self, usage: Usage) -> None:
        """Insert or leave alone."""
        row = row_of(usage)
        statement = f"INSERT OR IGNORE INTO model_usage ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"  # noqa: S608
        await self._database.write(lambda connection: connection.execute(statement, tuple(row.values())).rowcount)

    async def sums(self, query: CostQuery) -> list[CostSum]:
        """By the index of tenant and time, or of the session."""
        where, values = _where(query)
        statement = (
            f"SELECT {BY[query.by]}, {_SUMS} FROM model_usage WHERE {where} "  # noqa: S608
            f"GROUP BY {BY[query.by]}, price, instead, saved_by"
        )

        def run(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
            return connection.execute(statement, values).fetchall()

        return [
            CostSum(key, read_tariff(price), read_tariff(instead), *rest)
            for key, price, instead, *rest in await self._database.read(run)
        ]


def _where(query: CostQuery) -> tuple[str, tuple[object, ...]]:
    """Column names are ours, values are bound."""
    conditions, values = ["at >= ?", "at < ?"], [query.since, query.until]
    given: list[object] = list(values)
    if query.tenant:
        conditions.append("tenant_id = ?")
        given.append(query.tenant)
    for by, value in query.only:
        conditions.append(f"{BY[by]} = ?")
        given.append(value)
    return " AND ".join(conditions), tuple(given)
