"""Leaves a failing model alone for a while, then asks it with one call."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from parley.core import Clock
from parley_ai_engine.providers.port import HOPELESS, RETRYABLE

WINDOW_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When it opens: half of at least `calls` calls of the last minute failed, or `in_a_row` did."""

    calls: int = 20
    ratio: float = 0.5
    in_a_row: int = 5
    open_seconds: float = 15.0
    hopeless_seconds: float = 60.0  # after a refused key: nothing gets better by itself


class Breaker:
    """One provider, model and key. Closed, open until a time, or half open with one probe under way."""

    def __init__(self, clock: Clock, rules: BreakerRules | None = None) -> None:
        self._clock = clock
        self._rules = rules or BreakerRules()
        self._calls: deque[tuple[float, bool]] = deque()
        self._row = 0
        self._until: float | None = None
        self._probing = False

    @property
    def state(self) -> str:
        """closed, open or half_open."""
        if self._until is None:
            return "closed"
        return "half_open" if self._probing or self._clock.monotonic() >= self._until else "open"

    def admit(self) -> bool:
        """Whether a call may be made now. Each that is admitted is settled by `settle` or `release`."""
        if self._until is None:
            return True
        if self._probing or self._clock.monotonic() < self._until:
            return False
        self._probing = True
        return True

    def settle(self, kind: str = "", retry_after: float | None = None) -> None:
        """How an admitted call ended; an empty kind is an answer. What was wrong with the request counts as one."""
        failed = kind in RETRYABLE or kind in HOPELESS
        now = self._clock.monotonic()
        probed, self._probing = self._probing, False
        self._note(now, failed=failed)
        if not failed:
            self._until = None
        elif kind in HOPELESS:
            self._open(now + self._rules.hopeless_seconds)
        elif retry_after is not None:
            self._open(now + retry_after)
        elif probed or self._broken():
            self._open(now + self._rules.open_seconds)

    def release(self) -> None:
        """An admitted call was given up by us: it says nothing about the model."""
        self._probing = False

    def _open(self, until: float) -> None:
        self._until = max(until, self._until or until)
        self._calls.clear()

    def _note(self, now: float, *, failed: bool) -> None:
        self._row = self._row + 1 if failed else 0
        self._calls.append((now, failed))
        while self._calls[0][0] < now - WINDOW_SECONDS:
            self._calls.popleft()

    def _broken(self) -> bool:
        failures = sum(failed for _, failed in self._calls)
        many = len(self._calls) >= self._rules.calls and failures >= self._rules.ratio * len(self._calls)
        return many or self._row >= self._rules.in_a_row
