"""Reads a vendor's stream with limits: on the first text, on every pause, on how much may come."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

CHARS_PER_TOKEN = 12  # far more than any tokenizer: only a server that ignores the limit gets here
CLOSE_SECONDS = 1.0


class Pace:
    """One stream. Pings and empty pieces do not count as text, so that they prolong nothing."""

    def __init__(self, first_seconds: float, idle_seconds: float, max_tokens: int) -> None:
        self._idle = idle_seconds
        self._left = max_tokens * CHARS_PER_TOKEN
        self._deadline = asyncio.get_running_loop().time() + first_seconds

    @property
    def deadline(self) -> float:
        """Of the next text, in the loop's time."""
        return self._deadline

    def text(self, piece: str) -> bool:
        """Text has come; False once there is more of it than was asked for."""
        self._deadline = asyncio.get_running_loop().time() + self._idle
        self._left -= len(piece)
        return self._left > 0

    async def events(self, stream: Any) -> AsyncGenerator[Any, None]:
        """The stream's events; it is closed whatever happens. Raises TimeoutError."""
        source = aiter(stream)
        try:
            while True:
                async with asyncio.timeout_at(self._deadline):
                    event = await anext(source, None)
                if event is None:
                    return
                yield event
        finally:
            async with asyncio.timeout(CLOSE_SECONDS):
                await stream.close()
