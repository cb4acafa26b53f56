"""A failing model is left alone for a while, then asked with one call."""

import pytest

from parley.testing import VirtualClock
from parley_ai_engine.admission.breaker import Breaker, BreakerRules


def fail(breaker: Breaker, times: int, kind: str = "overloaded") -> None:
    for _ in range(times):
        assert breaker.admit()
        breaker.settle(kind)


async def test_it_opens_after_a_row_of_failures_and_lets_one_probe_through_in_time() -> None:
    clock = VirtualClock()
    breaker = Breaker(clock)
    fail(breaker, 5)
    assert (breaker.state, breaker.admit()) == ("open", False)
    await clock.advance(15)
    assert breaker.state == "half_open"
    assert [breaker.admit() for _ in range(3)] == [True, False, False]
    breaker.settle()
    assert breaker.state == "closed"


async def test_a_probe_that_fails_opens_it_again_and_one_that_is_given_up_says_nothing() -> None:
    clock = VirtualClock()
    breaker = Breaker(clock)
    fail(breaker, 5)
    await clock.advance(15)
    assert breaker.admit()
    breaker.settle("timeout")
    assert not breaker.admit()
    await clock.advance(15)
    assert breaker.admit()
    breaker.release()
    assert breaker.admit()


def test_half_of_many_calls_is_too_much() -> None:
    breaker = Breaker(VirtualClock())
    for number in range(19):
        breaker.settle("timeout" if number % 2 else "")
    assert breaker.state == "closed"
    breaker.settle("timeout")
    assert breaker.state == "open"


async def test_old_failures_are_forgotten() -> None:
    clock = VirtualClock()
    breaker = Breaker(clock, BreakerRules(in_a_row=100))
    for _ in range(19):
        breaker.settle("timeout")
    await clock.advance(61)
    breaker.settle("timeout")
    assert breaker.state == "closed"


@pytest.mark.parametrize("kind", ["unauthorized", "forbidden", "quota"])
async def test_a_refused_key_opens_it_at_once_and_for_longer(kind: str) -> None:
    clock = VirtualClock()
    breaker = Breaker(clock)
    fail(breaker, 1, kind)
    await clock.advance(59)
    assert not breaker.admit()
    await clock.advance(1)
    assert breaker.admit()


@pytest.mark.parametrize("kind", ["too_long", "filtered", "refused"])
def test_what_was_wrong_with_the_request_never_opens_it(kind: str) -> None:
    breaker = Breaker(VirtualClock())
    fail(breaker, 30, kind)
    assert breaker.state == "closed"


async def test_a_retry_after_is_kept_to_the_second() -> None:
    clock = VirtualClock()
    breaker = Breaker(clock)
    assert breaker.admit()
    breaker.settle("rate_limited", 600.0)
    await clock.advance(599)
    assert not breaker.admit()
    await clock.advance(1)
    assert breaker.admit()
