"""The broker is killed, stopped, frozen, out of disk, or drops its clients, while visitors write."""

import asyncio

import pytest

from tests.faults.desk import BROKER_SECONDS, CRASH_SECONDS, MARKS, SECONDS, Desk, judged

pytestmark = MARKS


async def test_r01_a_broker_that_is_killed_and_comes_back_loses_doubles_and_shuffles_nothing(desk: Desk) -> None:
    async def fault() -> None:
        await asyncio.sleep(SECONDS / 4)
        desk.broker.process.kill()
        await desk.broker.process.start()
        desk.over("broker is up")

    verdict = judged("R01", "broker: kill -9 and restart", await desk.under_load(fault))
    assert verdict.broken() == {}
    assert verdict.everyone_s <= BROKER_SECONDS


async def test_r02_accepted_messages_wait_while_the_broker_is_stopped(desk: Desk) -> None:
    async def fault() -> None:
        await asyncio.sleep(1)
        await asyncio.to_thread(desk.broker.ctl, "stop_app")
        await asyncio.sleep(SECONDS / 2)
        await asyncio.to_thread(desk.broker.ctl, "start_app")
        desk.over("broker is up")

    verdict = judged("R02", "broker: stop_app, start_app", await desk.under_load(fault))
    assert verdict.broken() == {}
    assert verdict.everyone_s <= BROKER_SECONDS


async def test_r03_a_broker_that_closes_every_connection_again_and_again(desk: Desk) -> None:
    async def fault() -> None:
        for _ in range(max(2, int(SECONDS / 5))):
            await asyncio.sleep(2)
            await asyncio.to_thread(desk.broker.ctl, "close_all_connections", "a test")
            desk.over("connections closed")

    verdict = judged("R03", "broker: close_all_connections, again and again", await desk.under_load(fault))
    assert verdict.broken() == {}
    assert verdict.everyone_s <= CRASH_SECONDS


async def test_r04_a_frozen_broker_holds_everything_and_loses_nothing(desk: Desk) -> None:
    async def fault() -> None:
        await asyncio.sleep(1)
        desk.broker.process.freeze()
        await asyncio.sleep(SECONDS * 0.7)
        desk.broker.process.thaw()
        desk.over("broker is awake")

    verdict = judged("R04", "broker: SIGSTOP", await desk.under_load(fault))
    assert verdict.broken() == {}
    assert verdict.everyone_s <= BROKER_SECONDS


async def test_r09_a_broker_without_disk_stops_reading_us_and_goes_on_when_there_is_room(desk: Desk) -> None:
    async def fault() -> None:
        await asyncio.sleep(1)
        await asyncio.to_thread(desk.broker.ctl, "set_disk_free_limit", "500000000000000")
        await asyncio.sleep(SECONDS / 2)
        await asyncio.to_thread(desk.broker.ctl, "set_disk_free_limit", "50MB")
        desk.over("there is room")

    verdict = judged("R09", "broker: disk alarm", await desk.under_load(fault))
    assert verdict.broken() == {}
    assert verdict.longest_gap_s > SECONDS / 4, "the alarm was not felt at all"
    assert verdict.everyone_s <= BROKER_SECONDS


@pytest.mark.parametrize("seconds", [3])
async def test_r20_a_delivery_held_for_longer_than_the_broker_allows_has_its_effect_once(
    desk: Desk, seconds: int
) -> None:
    """The broker closes the reader's channel and delivers again what the first reading is still storing."""
    for key, value in (("consumer_timeout", seconds * 1000), ("channel_tick_interval", 500)):
        await asyncio.to_thread(desk.broker.ctl, "eval", f"application:set_env(rabbit, {key}, {value}).")
    router = desk.services["session-router"]
    router.kill_and_begin_again()  # channels read the limit when they are opened
    await router.wait_ready()

    async def fault() -> None:
        await asyncio.sleep(1)
        desk.database_line.freeze("down")  # written, but the router does not hear of it
        await asyncio.sleep(seconds + 2)
        desk.database_line.heal()
        desk.over("database answers")

    try:
        verdict = judged("R20", "broker: acknowledgement timeout", await desk.under_load(fault))
        assert "delivery acknowledgement on channel" in desk.broker.log(), "no channel was closed for its timeout"
    finally:
        await asyncio.to_thread(desk.broker.ctl, "eval", "application:set_env(rabbit, consumer_timeout, 1800000).")
        router.kill_and_begin_again()
    assert verdict.broken() == {}
