"""What waits to be written to one client: bounded, previews dropped first, then the client is sent away to resume."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

Write = Callable[[bytes], Awaitable[None]]


class Overflow(Exception):
    """The client reads too slowly; it should come back and resume."""


class Outgoing:
    """The frames of one connection. `push` never blocks; `flush` writes until nothing waits."""

    __slots__ = ("_bytes", "_eased", "_frames", "_limit_bytes", "_limit_frames", "dropped")

    def __init__(self, limit_frames: int, limit_bytes: int) -> None:
        self._frames: deque[tuple[bytes, bool]] = deque()
        self._bytes = 0
        self._limit_frames = limit_frames
        self._limit_bytes = limit_bytes
        self._eased = asyncio.Event()
        self._eased.set()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._frames)

    def push(self, frame: bytes, *, preview: bool = False) -> None:
        """Queue a frame. Raises Overflow when even without previews there is no room."""
        if self._full(len(frame)):
            self._drop_previews()
            if preview:
                self.dropped += 1
                return
            if self._full(len(frame)):
                raise Overflow
        self._frames.append((frame, preview))
        self._bytes += len(frame)
        if self._crowded:
            self._eased.clear()

    async def eased(self, seconds: float) -> None:
        """Wait until at least half of the room is free again. Raises Overflow when it takes longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._eased.wait()
        except TimeoutError:
            raise Overflow from None

    async def flush(self, write: Write) -> None:
        """Write what waits, in order."""
        while self._frames:
            frame, _ = self._frames.popleft()
            self._bytes -= len(frame)
            await write(frame)
            if not self._crowded:
                self._eased.set()

    def take(self) -> list[bytes]:
        """Everything that waits, at once: for transports that answer instead of writing."""
        frames = [frame for frame, _ in self._frames]
        self.clear()
        return frames

    @property
    def crowded(self) -> bool:
        """Whether more than half of the room is taken, so that a replay waits."""
        return self._crowded

    def clear(self) -> None:
        """Forget what waits: the client will resume."""
        self._frames.clear()
        self._bytes = 0
        self._eased.set()

    @property
    def _crowded(self) -> bool:
        return len(self._frames) * 2 > self._limit_frames or self._bytes * 2 > self._limit_bytes

    def _full(self, more: int) -> bool:
        """One frame always fits, however large: a client that can never be told it would come back for ever."""
        over = len(self._frames) >= self._limit_frames or self._bytes + more > self._limit_bytes
        return over and bool(self._frames)

    def _drop_previews(self) -> None:
        kept = [(frame, preview) for frame, preview in self._frames if not preview]
        self.dropped += len(self._frames) - len(kept)
        self._frames = deque(kept)
        self._bytes = sum(len(frame) for frame, _ in kept)
