"""A MongoDB database behind a thin façade: limits on every wait, durable writes, clear errors. Motor lives here."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import WriteConcern, errors
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from parley.core import SettingsError, Unavailable, redact

SELECTION_MS = 5_000
SOCKET_MS = 10_000
LIMITS = {
    "serverSelectionTimeoutMS": SELECTION_MS,
    "connectTimeoutMS": SELECTION_MS,
    "socketTimeoutMS": SOCKET_MS,
    "waitQueueTimeoutMS": SOCKET_MS,
}  # unless the URL names its own
DURABLE = WriteConcern(w="majority", j=True, wtimeout=SOCKET_MS)
_GONE = (errors.ConnectionFailure, errors.WTimeoutError, errors.ExecutionTimeout, errors.WaitQueueTimeoutError)


@dataclass(frozen=True)
class Index:
    """An index over fields in this order; `-` before a name sorts it downwards."""

    fields: tuple[str, ...]
    unique: bool = False

    def keys(self) -> list[tuple[str, int]]:
        """As the driver wants them."""
        return [(name.removeprefix("-"), -1 if name.startswith("-") else 1) for name in self.fields]


class MongoDatabase:
    """Collections whose writes are acknowledged by a majority's journal. Wrap calls on them in `reachable()`."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._database = client.get_database(name, write_concern=DURABLE)

    def collection(self, name: str) -> Any:
        """A motor collection; only `store/mongo*` may hold one."""
        return self._database[name]

    async def ensure_indexes(self, collection: str, indexes: Sequence[Index]) -> None:
        """Create what is missing. Raises Unavailable."""
        with reachable():
            for index in indexes:
                await self._database[collection].create_index(index.keys(), unique=index.unique)

    async def ping(self) -> None:
        """Raises Unavailable when no server answers."""
        with reachable():
            await self._database.command("ping")


@contextmanager
def reachable() -> Iterator[None]:
    """Turn the driver's words for "not now" into Unavailable. A write's outcome is then unknown."""
    try:
        yield
    except _GONE as error:
        raise Unavailable(f"MongoDB does not answer: {redact(str(error)[:200])}") from error
    except errors.OperationFailure as error:
        if error.code in {13, 18}:
            raise SettingsError(f"MongoDB refuses this user: {error}; check PARLEY_DATABASE_URL") from error
        if error.has_error_label("RetryableWriteError") or error.code in {91, 189, 10107, 11600, 11602, 13435}:
            raise Unavailable(f"MongoDB is changing its primary: {error}") from error
        raise


@asynccontextmanager
async def open_mongo(url: str) -> AsyncIterator[MongoDatabase]:
    """Open `mongodb://host/database` (database `parley` by default). Raises SettingsError, or Unavailable at once."""
    try:
        chosen = {name.lower() for name in parse_uri(url)["options"]}
        limits: dict[str, Any] = {name: limit for name, limit in LIMITS.items() if name.lower() not in chosen}
        client: Any = AsyncIOMotorClient(url, appname="parley", tz_aware=True, **limits)
        name = client.get_default_database("parley").name
    except (PyMongoError, ValueError) as error:
        raise SettingsError(
            f'PARLEY_DATABASE_URL is "{redact(url)}": {error}; expected mongodb://user:pass@host/database'
        ) from error
    database = MongoDatabase(client, name)
    try:
        await database.ping()
        yield database
    finally:
        client.close()
