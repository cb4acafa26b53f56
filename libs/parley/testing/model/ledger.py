"""What the stand-in was asked and what it charged: the other side's book, to compare ours with."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Call:
    """One request. `outcome` is open, complete, refused, cut (by a scripted fault) or closed (by the client)."""

    vendor: str
    model: str
    key: str
    body: dict[str, Any]
    at: float  # seconds of the loop's clock
    status: int = 200
    outcome: str = "open"
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reported: bool = False  # whether the usage reached the client
    chunks: int = 0
    ended_at: float = 0.0


@dataclass(slots=True)
class Ledger:
    """All calls in order."""

    calls: list[Call] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        """Wake whoever waits for a fact."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, fact: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait for something to be true of the calls. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not fact():
                await self._changed.wait()

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls)

    def __len__(self) -> int:
        return len(self.calls)

    @property
    def last(self) -> Call:
        """The newest call. Raises IndexError when there was none."""
        return self.calls[-1]

    @property
    def open(self) -> list[Call]:
        """Calls that are still being answered."""
        return [call for call in self.calls if call.outcome == "open"]

    def tokens(self, model: str | None = None) -> tuple[int, int, int]:
        """(input, of these cached, output) tokens of the calls whose usage was reported."""
        told = [call for call in self.calls if call.reported and model in (None, call.model)]
        return (
            sum(call.input_tokens for call in told),
            sum(call.cached_tokens for call in told),
            sum(call.output_tokens for call in told),
        )
