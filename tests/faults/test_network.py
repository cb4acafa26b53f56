"""The lines to the broker and to the database are late, slow, cut or deaf, while visitors write."""

import asyncio

import pytest

from parley.testing.fault_proxy import FaultProxy
from tests.faults.desk import BROKER_SECONDS, CRASH_SECONDS, MARKS, SECONDS, Desk, judged

pytestmark = MARKS


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
