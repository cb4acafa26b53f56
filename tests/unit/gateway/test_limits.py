"""Token buckets: a burst at once, then so many a second."""

import pytest

from parley_gateway.asking import RateLimited
from parley_gateway.limits import BUCKETS_KEPT, Bucket, RateLimit


def test_a_burst_is_let_through_and_then_the_wait_is_told() -> None:
    limit = RateLimit(5, 20)
    assert [limit.take("a", 100.0) for _ in range(20)] == [0.0] * 20
    assert limit.take("a", 100.0) == pytest.approx(0.2)


def test_tokens_come_back_with_time_and_never_exceed_the_burst() -> None:
    bucket = Bucket(5, 2, 0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [0.0, 0.0, pytest.approx(0.2)]
    assert bucket.take(0.2) == 0.0
    assert [bucket.take(1000.0) for _ in range(3)] == [0.0, 0.0, pytest.approx(0.2)]


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    bucket = Bucket(5, 2, 100.0)
    bucket.take(100.0)
    assert bucket.take(50.0) == 0.0
    assert bucket.take(50.0) > 0


def test_keys_have_buckets_of_their_own() -> None:
    limit = RateLimit(1, 1)
    assert limit.take("王", 0.0) == 0.0
    assert limit.take("李", 0.0) == 0.0
    assert limit.take("王", 0.0) == 1.0


def test_check_raises_with_the_time_to_wait() -> None:
    limit = RateLimit(2, 1)
    limit.check("a", 0.0, "slowly")
    with pytest.raises(RateLimited, match="slowly") as caught:
        limit.check("a", 0.0, "slowly")
    assert caught.value.retry_after == pytest.approx(0.5)


def test_the_buckets_longest_unused_are_forgotten() -> None:
    limit = RateLimit(1, 1)
    limit.take("first", 0.0)
    for n in range(BUCKETS_KEPT):
        limit.take(str(n), 0.0)
    assert limit.take("first", 0.0) == 0.0
