"""Free ports, and waiting until something answers on one."""

import asyncio
import socket
from contextlib import closing


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def answers(port: int, *, say: bytes = b"", hear: bytes = b"") -> bool:
    """Whether the port takes a connection and, asked `say`, answers with something that begins with `hear`."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with closing(writer):
                writer.write(say)
                return (await reader.readexactly(len(hear))) == hear if hear else True
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
