"""One MongoDB-protocol server: a given one, a `mongod` of this machine, or the Java stand-in."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from parley.testing.servers.mongodb.build import MAIN, class_path, java
from parley.testing.servers.ports import answers, free_port
from parley.testing.servers.process import ServerProcess, ours
from parley.testing.servers.settings import GivenServers


class MongoDB:
    """A server: its address without a database name, and its process."""

    def __init__(self, url: str, process: ServerProcess | None = None) -> None:
        self.url = url
        self._process = process

    @property
    def process(self) -> ServerProcess:
        """The private server's process. Raises ParleyError for a given one."""
        return ours(self._process, self.url)

    def database(self, name: str) -> str:
        """The URL of one database."""
        address, _, options = self.url.partition("?")
        return f"{address.rstrip('/')}/{name}{'?' + options if options else ''}"


@asynccontextmanager
async def mongodb(
    given: GivenServers | None = None, *, data: Path | None = None, durable: bool = False
) -> AsyncIterator[MongoDB]:
    """The given server, else `mongod`, else the Java one, ready in 2 s. Raises ServerMissing when there is none.

    A private one keeps its data in `data`; without it in memory or, if `durable`, in a temporary folder, so that a
    stop and a start lose nothing. Kill -9 of the Java one loses its last second: that says nothing about MongoDB.
    """
    given = given if given is not None else GivenServers.load()
    if given.database_url:
        yield MongoDB(given.database_url)
        return
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="parley-mongodb-", ignore_cleanup_errors=True) as temporary:
        folder = data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        command = await asyncio.to_thread(_command, port, folder, durable or data is not None)
        process = ServerProcess(command, log=folder / "out", ready=lambda: answers(port), env=None)
        try:
            await process.start()
            yield MongoDB(f"mongodb://127.0.0.1:{port}", process)
        finally:
            await process.stop()


def _command(port: int, folder: Path, durable: bool) -> list[str]:
    if mongod := shutil.which("mongod"):
        return [mongod, "--bind_ip", "127.0.0.1", "--port", str(port), "--dbpath", str(folder)]
    store = [str(folder / "parley.mv")] if durable else []
    return [java(), "-Xmx512m", "-cp", class_path(), MAIN, str(port), *store]
