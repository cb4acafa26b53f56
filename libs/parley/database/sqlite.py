"""A SQLite file behind awaitable calls: one writer with group commit, a few readers, never on the event loop."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from parley.core import SettingsError, Unavailable
from parley.database import migrations
from parley.database.failures import explain
from parley.database.writer import Together, Work, Writer

T = TypeVar("T")

PREFIX = "sqlite:///"
LOCK_SECONDS = 5.0  # how long another process may hold the file
CALL_SECONDS = 10.0
READERS = 2
STATEMENTS = 256  # prepared ones that are kept: many rows at once make a statement for each number of rows
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -32768",  # KiB at most; at SQLite's own 2 MiB every commit reads pages
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)


class SqliteDatabase:
    """Give `write` and `read` a function of a connection; it runs in a thread and must not keep the connection.

    Both raise Unavailable when the file is locked, full, damaged or slow, and Conflict for a broken constraint.
    After ten seconds of waiting a write's outcome is unknown.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, making it and its folders. Blocks. Raises SettingsError when that cannot be."""
        self.path = path
        _make_folder(path)
        try:
            connection = _connect(path)
        except sqlite3.Error as error:
            raise SettingsError(f"PARLEY_DATABASE_URL: {explain(error, str(path))}") from error
        self._writing = connection
        self._writer = Writer(connection, str(path))
        self._local = threading.local()
        self._reading: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")

    async def write(self, work: Work[T]) -> T:
        """Run `work` in the next group's transaction; returns once that is on disk."""
        return await self._bounded(self._writer.submit(work))

    async def write_together(self, together: Together, item: object) -> Any:
        """Like `write` for a thing that many callers write: `together` gets all items that wait, and answers each."""
        return await self._bounded(self._writer.submit_together(together, item))

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a connection that sees everything that was committed and cannot write."""
        return await self._bounded(asyncio.get_running_loop().run_in_executor(self._readers, self._read, work))

    async def migrate(self, component: str, folder: Path) -> None:
        """Bring `component`'s tables up to date from numbered scripts. Raises SettingsError for a newer schema."""
        scripts = await asyncio.to_thread(migrations.read_scripts, folder)
        await self.write(lambda connection: migrations.apply(connection, component, scripts))

    async def ping(self) -> None:
        """Raises Unavailable when the file does not take writes."""
        await self.write(lambda connection: connection.execute("SELECT 1").fetchone())

    def close(self) -> None:
        """Finish what is queued and close the file. Blocks."""
        self._writer.close()
        self._readers.shutdown()
        for connection in [*self._reading, self._writing]:
            connection.close()

    def _read(self, work: Work[T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        try:
            if connection is None:
                connection = self._local.connection = _connect(self.path)
                connection.execute("PRAGMA query_only = ON")
                self._reading.append(connection)
            return work(connection)
        except sqlite3.Error as error:
            raise explain(error, str(self.path)) from error

    async def _bounded(self, answer: "asyncio.Future[T]") -> T:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await answer
        except TimeoutError:
            raise Unavailable(f"{self.path} did not answer within {CALL_SECONDS:.0f} s; is its disk busy?") from None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"the folder {path.parent} cannot be made ({error.strerror}); "
            "set PARLEY_DATABASE_URL or PARLEY_HOME to a folder that can be written"
        ) from error


@dataclass
class _Shared:
    opening: "asyncio.Task[SqliteDatabase]"
    users: int = 0


_open: dict[tuple[asyncio.AbstractEventLoop, Path], _Shared] = {}


@asynccontextmanager
async def open_sqlite(url: str) -> AsyncIterator[SqliteDatabase]:
    """Open `sqlite:///path`. Services of one process share the file's writer, so that their writes group as one."""
    path = _path(url)
    key = (asyncio.get_running_loop(), path)
    shared = _open.get(key)
    if shared is None:
        shared = _open[key] = _Shared(asyncio.create_task(asyncio.to_thread(SqliteDatabase, path)))
    shared.users += 1
    try:
        yield await asyncio.shield(shared.opening)
    finally:
        shared.users -= 1
        if shared.users == 0:
            del _open[key]
            await asyncio.shield(_close(shared.opening))


async def _close(opening: "asyncio.Task[SqliteDatabase]") -> None:
    await asyncio.wait([opening])
    if not opening.cancelled() and opening.exception() is None:
        await asyncio.to_thread(opening.result().close)


def _path(url: str) -> Path:
    name = url.removeprefix(PREFIX)
    if not url.startswith(PREFIX) or not name or name.startswith(":"):
        raise SettingsError(f'PARLEY_DATABASE_URL is "{url}"; expected sqlite:///path/of/a/file.db')
    return Path(name).absolute()
