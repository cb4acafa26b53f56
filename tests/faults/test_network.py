"""The broker and the database are late, slow, cut off, deaf, stopped or frozen, while visitors write."""

import asyncio
import contextlib

import pytest

from parley.testing.fault_proxy import FaultProxy
from tests.faults.desk import BROKER_SECONDS, CRASH_SECONDS, LONG, MARKS, SECONDS, Desk, Load, judged

pytestmark = MARKS
HALF_OPEN_SECONDS = (
    45.0  # the client may believe in a silent broker for three heartbeats, 33 s, before it connects anew
)
CALM = Load(per_second=0.5)  # who writes faster than a busy machine answers cancels every answer until the end


def line_of(desk: Desk, name: str) -> FaultProxy:
    return desk.bus_line if name == "broker" else desk.database_line


async def test_r14_confirms_that_come_late_or_never_are_asked_for_again(desk: Desk) -> None:
    async def fault() -> None:
        await asyncio.sleep(1)
        desk.bus_line.latency = min(2.5, SECONDS / 4)  # each way: a confirm takes twice that
        await asyncio.sleep(SECONDS / 2)
        desk.bus_line.heal()
        for _ in range(2):
            desk.bus_line.freeze("down")  # published, but the confirm is not heard
            await asyncio.sleep(1)
            desk.bus_line.cut()
            desk.bus_line.heal()
            desk.over("line to the broker cut before the confirm")
            await asyncio.sleep(1)

    verdict = judged("R14", "broker: confirms late, then lost", await desk.under_load(fault))
    assert verdict.broken() == {}
    assert verdict.everyone_s <= BROKER_SECONDS


@pytest.mark.parametrize("server", ["broker", "database"])
async def test_r16_a_late_slow_and_breaking_line(desk: Desk, server: str) -> None:
    line = line_of(desk, server)

    async def fault() -> None:
        line.latency = 0.1
        await asyncio.sleep(SECONDS / 4)
        line.heal()
        line.bytes_per_second = 64_000
        await asyncio.sleep(SECONDS / 4)
        line.heal()
        for _ in range(3):
            line.cut()
            desk.over(f"line to the {server} cut")
            await asyncio.sleep(SECONDS / 8)

    verdict = judged("R16", f"{server}: 200 ms, 64 kB/s, resets", await desk.under_load(fault))
    assert verdict.broken() == {}
    assert verdict.recovery_s <= CRASH_SECONDS


@pytest.mark.parametrize(
    "servers", [("broker",), ("database",)] if LONG else [("broker", "database")], ids=" and ".join
)
async def test_r16_a_half_open_line_is_noticed_and_made_again(desk: Desk, servers: tuple[str, ...]) -> None:
    """The server has closed its end and the client is never told: only its own heartbeats and limits tell it."""

    async def fault() -> None:
        await asyncio.sleep(1)
        for server in servers:
            line_of(desk, server).half_open()
        desk.over("half open")
        await asyncio.sleep(1)
        with contextlib.suppress(TimeoutError):  # the verdict says it better
            await desk.until_served(2 * HALF_OPEN_SECONDS)

    verdict = judged("R16", f"line to {' and '.join(servers)} half open", await desk.under_load(fault, CALM))
    assert verdict.broken() == {}
    assert verdict.everyone_s <= HALF_OPEN_SECONDS


async def test_r17_a_database_that_is_stopped_frozen_or_out_of_reach_acknowledges_nothing_that_it_does_not_have(
    desk: Desk,
) -> None:
    """In good order and by SIGSTOP: kill -9 says something about MongoDB only where a real one is given."""
    seconds = SECONDS / 4

    async def fault() -> None:
        await asyncio.sleep(1)
        await desk.database.process.stop()
        await asyncio.sleep(seconds)
        await desk.database.process.start()
        desk.over("stopped database is up")
        await asyncio.sleep(seconds)
        desk.database.process.freeze()
        await asyncio.sleep(seconds)
        desk.database.process.thaw()
        desk.over("frozen database is awake")
        await asyncio.sleep(seconds)
        desk.database_line.refuse()
        await asyncio.sleep(seconds)
        desk.database_line.heal()
        desk.over("database can be reached")

    verdict = judged("R17", "database: stopped, frozen, refused", await desk.under_load(fault, CALM))
    assert verdict.broken() == {}
    assert verdict.everyone_s <= BROKER_SECONDS
