"""A URL decides where tenants, keys and sites are kept: in the same database as the sessions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from parley.database import SqliteDatabase, open_database
from parley_session_router.access.port import AccessStore
from parley_session_router.access.sqlite import MIGRATIONS, SqliteAccess


@asynccontextmanager
async def open_access(url: str) -> AsyncIterator[AccessStore]:
    """The access store in the database at `url`, its tables and indexes made.

    Raises SettingsError for a URL, file or schema that cannot be used, Unavailable when no server answers.
    """
    async with open_database(url) as database:
        if isinstance(database, SqliteDatabase):
            await database.migrate("access", MIGRATIONS)
            yield SqliteAccess(database)
        else:
            from parley_session_router.store.mongo_access import open_mongo_access  # noqa: PLC0415  # see open_database

            yield await open_mongo_access(database)
