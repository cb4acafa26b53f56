"""Token buckets: how fast one visitor, address, connection or channel may go."""

from collections import OrderedDict

from parley_gateway.asking import RateLimited

BUCKETS_KEPT = 50_000


class Bucket:
    """`burst` at once, `per_second` on average."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, per_second: float, burst: int, now: float) -> None:
        self._rate = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> float:
        """0 when the action may go on, else the seconds to wait. `now` is monotonic seconds."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate


class RateLimit:
    """A bucket by key; those longest unused are forgotten."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._rate = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """0 when the action may go on, else the seconds to wait. `now` is monotonic seconds."""
        bucket = self._buckets.pop(key, None) or Bucket(self._rate, self._burst, now)
        self._buckets[key] = bucket
        if len(self._buckets) > BUCKETS_KEPT:
            self._buckets.popitem(last=False)
        return bucket.take(now)

    def check(self, key: str, now: float, message: str) -> None:
        """Take one. Raises RateLimited with `message` and the time to wait."""
        if wait := self.take(key, now):
            raise RateLimited(message, retry_after=wait)
