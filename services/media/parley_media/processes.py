"""Ends a process for good."""

import asyncio
import contextlib
from asyncio.subprocess import Process

END_SECONDS = 5.0


def kill(process: Process) -> None:
    """At once, whatever it does; nothing happens to one that has ended."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()


async def gone(process: Process) -> None:
    """Return when it has ended and its pipes are closed: only then has the event loop let go of it."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            await process.wait()
            process.stdin.close()
            with contextlib.suppress(OSError):
                await process.stdin.wait_closed()
            await process.stdout.read()
