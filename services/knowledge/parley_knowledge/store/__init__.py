"""Where documents are kept: the port, and the adapter that a database URL chooses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from parley.database import SqliteDatabase, open_database
from parley_knowledge.store.port import DocumentStore, Kept
from parley_knowledge.store.sqlite import MIGRATIONS, SqliteDocuments

__all__ = ["DocumentStore", "Kept", "open_documents"]


@asynccontextmanager
async def open_documents(url: str) -> AsyncIterator[DocumentStore]:
    """The documents in the database at `url`. Raises SettingsError, Unavailable."""
    async with open_database(url) as database:
        if isinstance(database, SqliteDatabase):
            await database.migrate("knowledge", MIGRATIONS)
            yield SqliteDocuments(database)
        else:
            from parley_knowledge.store.mongo import MongoDocuments  # noqa: PLC0415 - SQLite needs no driver

            documents = MongoDocuments(database)
            await documents.prepare()
            yield documents
