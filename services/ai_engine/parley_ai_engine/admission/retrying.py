"""The one retry layer: the same model again, but only while nothing of its answer was shown."""

import random
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Final

import tenacity

from parley.core import Clock
from parley.telemetry import counter, names
from parley_ai_engine.providers.port import RETRYABLE, ModelFailed, ModelReply

TRIES: Final = 3
BASE_SECONDS: Final = 0.1
CAP_SECONDS: Final = 2.0

Answer = AsyncGenerator[str | ModelReply, None]


class RetryBudget:
    """Retries may be a tenth of all calls: when everything fails, trying again would only add load."""

    def __init__(self, share: float = 0.1, spare: float = 3.0) -> None:
        self._share = share
        self._most = spare
        self._left = spare

    def call(self) -> None:
        """A first try was made."""
        self._left = min(self._most, self._left + self._share)

    def take(self) -> bool:
        """Whether one more retry is in the budget."""
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Retrying:
    """Tries a call again after its retry-after, else with growing, jittered pauses."""

    def __init__(self, clock: Clock, budget: RetryBudget | None = None) -> None:
        self._clock = clock
        self._budget = budget or RetryBudget()

    async def begin(self, call: Callable[[int], Answer], model: str, end: float) -> tuple[str | ModelReply, Answer]:
        """The first piece and the rest. `call(n)` makes the n-th try; `end` is on the monotonic clock.

        Raises the last ModelFailed. A pause that would outlast `end` is not begun.
        """
        self._budget.call()

        numbers = iter(range(1, TRIES + 1))

        def may_go_on(state: tenacity.RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            if not isinstance(error, ModelFailed) or error.kind not in RETRYABLE or state.attempt_number >= TRIES:
                return False
            return self._clock.monotonic() + _pause(state) < end and self._budget.take()

        tries = tenacity.AsyncRetrying(
            retry=may_go_on, wait=_pause, sleep=self._clock.sleep, reraise=True, before_sleep=lambda _: _count(model)
        )
        return await tries(self._first, call, numbers)

    async def _first(self, call: Callable[[int], Answer], numbers: Iterator[int]) -> tuple[str | ModelReply, Answer]:
        answer = call(next(numbers))
        try:
            return await anext(answer), answer
        except BaseException:
            await answer.aclose()
            raise


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ModelFailed) and error.retry_after is not None:
        return error.retry_after + random.random() * 0.1  # noqa: S311 - so that waiters do not come back as one
    longest = min(CAP_SECONDS, BASE_SECONDS * 2.0**state.attempt_number)
    return longest / 2 + random.random() * longest / 2  # noqa: S311 - jitter, not a secret


def _count(model: str) -> None:
    counter(names.MODEL_RETRIES, model).inc()
