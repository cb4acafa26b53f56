"""How a service opens its database: a URL decides between one SQLite file and MongoDB.

A store asks `isinstance(database, SqliteDatabase)` and imports its MongoDB adapter only when it is not.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from parley.core import SettingsError, redact
from parley.database.sqlite import SqliteDatabase, open_sqlite

if TYPE_CHECKING:
    from parley.database.mongo import MongoDatabase

__all__ = ["SqliteDatabase", "open_database"]


@asynccontextmanager
async def open_database(url: str) -> "AsyncIterator[SqliteDatabase | MongoDatabase]":
    """The database that `url` names, open until the context is left.

    Raises SettingsError for a URL or file that cannot be used, Unavailable when no server answers within 5 s.
    """
    if url.startswith("sqlite:"):
        async with open_sqlite(url) as sqlite:
            yield sqlite
    elif url.startswith(("mongodb://", "mongodb+srv://")):
        from parley.database.mongo import open_mongo  # noqa: PLC0415  # the driver costs 20 MB; SQLite needs none

        async with open_mongo(url) as mongo:
            yield mongo
    else:
        raise SettingsError(f'PARLEY_DATABASE_URL is "{redact(url)}"; expected sqlite:///path or mongodb://host/name')
