"""What was spent so far, in billionths of a currency's unit: in this process, or in Redis for all replicas."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from parley.telemetry import Log

KEPT: Final = 20_000
KEPT_SECONDS: Final = 2 * 86_400
TIMEOUT_SECONDS: Final = 0.5
PREFIX: Final = "parley:spent:"

# KEYS: the counter. ARGV: most, amount, how it begins or "", seconds to keep it. -1: it is not known how it begins.
_TAKE: Final = """
local level = tonumber(redis.call('GET', KEYS[1]) or ARGV[3])
if not level then return -1 end
if level >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', level + tonumber(ARGV[2])), 'EX', ARGV[4])
return 1
"""

log = Log("ai-engine")


class Counters(Protocol):
    """Asked before every call that costs money; must be quick."""

    async def take(self, name: str, most: int, amount: int, *, seed: int | None = None) -> bool | None:
        """Add `amount` if less than `most` is spent. None for a counter that is new and was given no seed."""
        ...

    async def add(self, name: str, amount: int) -> None:
        """Correct a counter that was taken from."""
        ...


class MemoryCounters:
    """Counters of this process; the oldest are forgotten, and begin from the books when they are asked again."""

    def __init__(self) -> None:
        self._spent: OrderedDict[str, int] = OrderedDict()

    async def take(self, name: str, most: int, amount: int, *, seed: int | None = None) -> bool | None:
        """See the port."""
        level = self._spent.get(name, seed)
        if level is None:
            return None
        may = level < most
        self._spent[name] = level + amount if may else level
        self._spent.move_to_end(name)
        if len(self._spent) > KEPT:
            self._spent.popitem(last=False)
        return may

    async def add(self, name: str, amount: int) -> None:
        """See the port."""
        if name in self._spent:
            self._spent[name] += amount


class RedisCounters:
    """Counters in Redis, and in this process while Redis is away."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._script = client.register_script(_TAKE)
        self._own = MemoryCounters()

    async def take(self, name: str, most: int, amount: int, *, seed: int | None = None) -> bool | None:
        """See the port."""
        import redis.exceptions  # noqa: PLC0415 - only installations with Redis load it

        begins = "" if seed is None else seed
        try:
            answer = int(await self._script(keys=[PREFIX + name], args=[most, amount, begins, KEPT_SECONDS]))
        except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
            log.warning("counters.redis_away", kind=type(error).__name__)
            return await self._own.take(name, most, amount, seed=seed)
        return None if answer < 0 else bool(answer)

    async def add(self, name: str, amount: int) -> None:
        """See the port."""
        import redis.exceptions  # noqa: PLC0415 - as above

        try:
            await self._client.incrby(PREFIX + name, amount)
        except (redis.exceptions.RedisError, OSError, TimeoutError):
            await self._own.add(name, amount)


@asynccontextmanager
async def open_counters(url: str) -> AsyncIterator[Counters]:
    """`memory:` or `redis://…`."""
    if not url.startswith("redis"):
        yield MemoryCounters()
        return
    import redis.asyncio  # noqa: PLC0415 - as above

    client = redis.asyncio.from_url(url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)
    try:
        yield RedisCounters(client)
    finally:
        await client.aclose()
