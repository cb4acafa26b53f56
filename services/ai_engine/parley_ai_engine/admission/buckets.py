"""Requests and tokens per minute: reserve before a call, settle with what it cost. In process; see `redis_buckets`."""

from dataclasses import dataclass
from typing import Protocol

from parley.core import Clock


@dataclass(frozen=True, slots=True)
class Rate:
    """What may be spent in a minute; 0 is no limit."""

    requests: int = 0
    tokens: int = 0


class Buckets(Protocol):
    """Shared by all who call with the same key or for the same tenant. Asked before every call; must be quick."""

    async def reserve(self, names: dict[str, Rate], tokens: int) -> float:
        """Take one request and these tokens from all named buckets, or from none.

        0 when taken, else the seconds until there may be enough.
        """
        ...

    async def settle(self, names: dict[str, Rate], reserved: int, used: int) -> None:
        """Give back what was too much, or take what was too little: a bucket may then be below zero."""
        ...


class MemoryBuckets:
    """Buckets of this process. They refill evenly, and hold a minute's worth."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}  # name -> (level, when)

    async def reserve(self, names: dict[str, Rate], tokens: int) -> float:
        """See the port."""
        wants = list(bucket_wants(names, tokens))
        wait = max((self._wait(name, size, amount) for name, size, amount in wants), default=0.0)
        if wait <= 0:
            for name, size, amount in wants:
                self._take(name, size, amount)
        return wait

    async def settle(self, names: dict[str, Rate], reserved: int, used: int) -> None:
        """See the port."""
        for name, rate in names.items():
            if rate.tokens:
                self._take(f"{name}:tokens", rate.tokens, used - min(reserved, rate.tokens))

    def _level(self, name: str, size: int) -> float:
        level, when = self._levels.get(name, (float(size), self._clock.monotonic()))
        return min(float(size), level + (self._clock.monotonic() - when) * size / 60)

    def _wait(self, name: str, size: int, amount: int) -> float:
        return max(0.0, (amount - self._level(name, size)) * 60 / size)

    def _take(self, name: str, size: int, amount: int) -> None:
        self._levels[name] = (min(float(size), self._level(name, size) - amount), self._clock.monotonic())


def bucket_wants(names: dict[str, Rate], tokens: int) -> list[tuple[str, int, int]]:
    """(bucket, size, amount). A call that is larger than its bucket takes a full one: it would wait for ever else."""
    wants = []
    for name, rate in names.items():
        if rate.requests:
            wants.append((f"{name}:requests", rate.requests, 1))
        if rate.tokens:
            wants.append((f"{name}:tokens", rate.tokens, min(tokens, rate.tokens)))
    return wants
