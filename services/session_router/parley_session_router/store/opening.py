"""A URL decides where sessions are kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from parley.database import SqliteDatabase, open_database
from parley_session_router.store.port import SessionStore
from parley_session_router.store.sqlite import MIGRATIONS, SqliteStore


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[SessionStore]:
    """The session store in the database at `url`, its tables and indexes made.

    Raises SettingsError for a URL, file or schema that cannot be used, Unavailable when no server answers.
    """
    async with open_database(url) as database:
        if isinstance(database, SqliteDatabase):
            await database.migrate("session-router", MIGRATIONS)
            yield SqliteStore(database)
        else:
            from parley_session_router.store.mongo import open_mongo_store  # noqa: PLC0415  # see open_database

            async with open_mongo_store(database) as store:
                yield store
