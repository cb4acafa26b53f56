"""Time in which nothing could run is nobody's recovery time."""

import time

import pytest

from parley.testing.awake import BEAT_SECONDS, AwakeClock


def test_a_standstill_between_two_beats_is_not_counted() -> None:
    clock = AwakeClock()
    begin = time.monotonic()
    clock.beat(begin - 60)
    before = clock.lost
    clock.beat(begin)
    assert before == 0
    assert clock.lost == pytest.approx(60 - BEAT_SECONDS)


def test_whoever_asks_first_after_a_standstill_is_told_the_same_as_who_asks_after_the_next_beat() -> None:
    clock = AwakeClock()
    clock.beat(time.monotonic() - 60)
    first = clock.now()
    clock.beat(time.monotonic())
    assert clock.now() == pytest.approx(first, abs=0.5)


def test_a_busy_second_is_counted_and_a_clock_without_beats_counts_everything() -> None:
    busy, still = AwakeClock(), AwakeClock()
    busy.beat(time.monotonic() - 1)
    assert busy.now() == pytest.approx(time.monotonic(), abs=0.5)
    assert still.now() == pytest.approx(time.monotonic(), abs=0.5)
