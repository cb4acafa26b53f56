"""A private Redis that keeps nothing on disk."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from parley.testing.servers.ports import answers, free_port
from parley.testing.servers.process import ServerMissing, ServerProcess, ours
from parley.testing.servers.settings import GivenServers


class Redis:
    """A Redis: its address and its process."""

    def __init__(self, url: str, process: ServerProcess | None = None) -> None:
        self.url = url
        self._process = process

    @property
    def process(self) -> ServerProcess:
        """The private server's process. Raises ParleyError for a given one."""
        return ours(self._process, self.url)


@asynccontextmanager
async def redis(given: GivenServers | None = None) -> AsyncIterator[Redis]:
    """The given Redis, else a private one. Raises ServerMissing when there is neither."""
    given = given if given is not None else GivenServers.load()
    if given.redis_url:
        yield Redis(given.redis_url)
        return
    if not shutil.which("redis-server"):
        raise ServerMissing("no Redis: run `apt-get install redis-server`, or give one by PARLEY_TEST_REDIS_URL")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="parley-redis-") as data:
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", data]
        command += ["--save", "", "--appendonly", "no"]
        process = ServerProcess(command, log=Path(data) / "out", ready=lambda: _ready(port), env=None)
        try:
            await process.start()
            yield Redis(f"redis://127.0.0.1:{port}/0", process)
        finally:
            await process.stop()


async def _ready(port: int) -> bool:
    return await answers(port, say=b"PING\r\n", hear=b"+PONG")
