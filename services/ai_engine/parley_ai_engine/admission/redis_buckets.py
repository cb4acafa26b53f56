"""The same buckets for all replicas: one script in Redis takes from all of them or from none.

Losing Redis costs precision, not answers: while it is away each replica keeps its own buckets.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from parley.core import Clock
from parley.telemetry import Log
from parley_ai_engine.admission.buckets import MemoryBuckets, Rate, bucket_wants

TIMEOUT_SECONDS: Final = 0.5
PREFIX: Final = "parley:bucket:"

# KEYS: buckets. ARGV: force, then (size, amount) for each. Times are in microseconds.
_SCRIPT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local force = ARGV[1] == '1'
local wait, levels = 0, {}
for i, key in ipairs(KEYS) do
  local size, amount = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local kept = redis.call('HMGET', key, 'level', 'at')
  local level = tonumber(kept[1]) or size
  level = math.min(size, level + (now - (tonumber(kept[2]) or now)) * size / 60000000)
  levels[i] = level - amount
  wait = math.max(wait, (amount - level) * 60000000 / size)
end
if wait > 0 and not force then return math.ceil(wait) end
for i, key in ipairs(KEYS) do
  local size = tonumber(ARGV[2 * i])
  redis.call('HSET', key, 'level', tostring(math.min(size, levels[i])), 'at', tostring(now))
  redis.call('EXPIRE', key, 180)
end
return 0
"""

log = Log("ai-engine")


class RedisBuckets:
    """Buckets in Redis, and in this process while Redis is away."""

    def __init__(self, client: Any, clock: Clock) -> None:
        self._script = client.register_script(_SCRIPT)
        self._own = MemoryBuckets(clock)

    async def reserve(self, names: dict[str, Rate], tokens: int) -> float:
        """See the port."""
        wants = bucket_wants(names, tokens)
        if not wants:
            return 0.0
        waited = await self._run(wants, force=False)
        return await self._own.reserve(names, tokens) if waited is None else waited

    async def settle(self, names: dict[str, Rate], reserved: int, used: int) -> None:
        """See the port."""
        wants = [
            (f"{name}:tokens", rate.tokens, used - min(reserved, rate.tokens))
            for name, rate in names.items()
            if rate.tokens
        ]
        if wants and await self._run(wants, force=True) is None:
            await self._own.settle(names, reserved, used)

    async def _run(self, wants: list[tuple[str, int, int]], *, force: bool) -> float | None:
        import redis.exceptions  # noqa: PLC0415 - only installations with Redis load it

        keys = [PREFIX + name for name, _, _ in wants]
        numbers = [number for _, size, amount in wants for number in (size, amount)]
        try:
            return int(await self._script(keys=keys, args=[int(force), *numbers])) / 1_000_000
        except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
            log.warning("buckets.redis_away", kind=type(error).__name__)
            return None


@asynccontextmanager
async def open_buckets(url: str, clock: Clock) -> AsyncIterator[MemoryBuckets | RedisBuckets]:
    """`memory:` or `redis://…`."""
    if not url.startswith("redis"):
        yield MemoryBuckets(clock)
        return
    import redis.asyncio  # noqa: PLC0415 - as above

    client = redis.asyncio.from_url(url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)
    try:
        yield RedisBuckets(client, clock)
    finally:
        await client.aclose()
