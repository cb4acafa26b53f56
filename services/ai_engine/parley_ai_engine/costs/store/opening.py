"""A URL decides where the records are kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from parley.database import SqliteDatabase, open_database
from parley_ai_engine.costs.store.port import CostStore
from parley_ai_engine.costs.store.sqlite import MIGRATIONS, SqliteCosts


@asynccontextmanager
async def open_costs(url: str) -> AsyncIterator[CostStore]:
    """The books in the database at `url`, their table and indexes made.

    Raises SettingsError for a URL, file or schema that cannot be used, Unavailable when no server answers.
    """
    async with open_database(url) as database:
        if isinstance(database, SqliteDatabase):
            await database.migrate("costs", MIGRATIONS)
            yield SqliteCosts(database)
        else:
            from parley_ai_engine.costs.store.mongo import open_mongo_costs  # noqa: PLC0415  # see open_database

            yield await open_mongo_costs(database)
