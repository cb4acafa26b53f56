"""Remembered answers, for an hour: in this process, or in Redis for all replicas."""

import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from parley.core import Clock
from parley.telemetry import Log

KEPT: Final = 5_000
TIMEOUT_SECONDS: Final = 0.2
PREFIX: Final = "parley:answer:"

log = Log("ai-engine")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, as it said it: guards stand between this and every visitor, each time anew."""

    text: str
    model: str  # as it was asked for
    told_model: str  # as the vendor named it
    input_tokens: int
    cached_tokens: int
    output_tokens: int


class Answers(Protocol):
    """Asked once per turn, before any model. Losing it costs money, never an answer."""

    async def find(self, key: str) -> Answer | None:
        """What was said to the same question, if it is young enough."""
        ...

    async def keep(self, key: str, answer: Answer) -> None:
        """Remember."""
        ...


class MemoryAnswers:
    """The answers of this process; the oldest are forgotten first."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Answer]] = OrderedDict()

    async def find(self, key: str) -> Answer | None:
        """See the port."""
        until, answer = self._kept.get(key, (0.0, None))
        return answer if self._clock.monotonic() < until else None

    async def keep(self, key: str, answer: Answer) -> None:
        """See the port."""
        self._kept[key] = (self._clock.monotonic() + self._seconds, answer)
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)


class RedisAnswers:
    """Answers in Redis; while it is away nothing is remembered."""

    def __init__(self, client: Any, seconds: float) -> None:
        self._client = client
        self._seconds = seconds

    async def find(self, key: str) -> Answer | None:
        """See the port."""
        import redis.exceptions  # noqa: PLC0415 - only installations with Redis load it

        try:
            found = await self._client.get(PREFIX + key)
            return Answer(**json.loads(found)) if found else None
        except (redis.exceptions.RedisError, OSError, TimeoutError, ValueError, TypeError) as error:
            log.warning("cache.away", kind=type(error).__name__)
            return None

    async def keep(self, key: str, answer: Answer) -> None:
        """See the port."""
        import redis.exceptions  # noqa: PLC0415 - as above

        try:
            told = json.dumps(asdict(answer), ensure_ascii=False)
            await self._client.set(PREFIX + key, told, px=round(self._seconds * 1000))
        except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
            log.warning("cache.away", kind=type(error).__name__)


@asynccontextmanager
async def open_answers(url: str, seconds: float, clock: Clock) -> AsyncIterator[Answers]:
    """`memory:` or `redis://…`; 0 seconds remember nothing."""
    if not url.startswith("redis") or not seconds:
        yield MemoryAnswers(seconds, clock)
        return
    import redis.asyncio  # noqa: PLC0415 - as above

    client = redis.asyncio.from_url(url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)
    try:
        yield RedisAnswers(client, seconds)
    finally:
        await client.aclose()
