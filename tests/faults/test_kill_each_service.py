"""R06: kill -9 each service process in turn under load on the real broker; nothing is lost, doubled or shuffled."""

import asyncio
import os
import signal

import pytest

from tests.faults.desk import SERVICES, Load, Recovery, report, start_all, under_load
from tests.flow.house import House, a_plot

# The short form by default; `make faults` runs the length that the promise is stated for.
SECONDS = float(os.environ.get("PARLEY_TEST_FAULT_SECONDS", "15"))
RECOVERY_SECONDS = 20.0  # a wide bound for a busy machine; the figures are printed

pytestmark = [pytest.mark.connected, pytest.mark.faults]


async def kill_each(house: House, recovery: Recovery, seconds: float) -> None:
    """One after another, evenly over the load, each started again at once as a supervisor would."""
    pause = seconds / (len(SERVICES) + 1)
    for name in SERVICES:
        await asyncio.sleep(pause)
        recovery.broke(name)
        await asyncio.to_thread(house.stop, name, signal.SIGKILL)
        house.start(name)


async def test_killing_every_service_in_turn_loses_doubles_and_shuffles_nothing(bus_url: str) -> None:
    with a_plot(PARLEY_BUS_URL=bus_url) as house:
        house.apply_topology()
        start_all(house)
        verdict, recovery, ledger = await under_load(
            house, Load(seconds=SECONDS), lambda r: kill_each(house, r, SECONDS)
        )
        report("kill -9 each service in turn", verdict, recovery, ledger)
        assert verdict.acked == verdict.sent
        assert (verdict.lost, verdict.doubled, verdict.reordered, verdict.gaps) == (0, 0, 0, 0)
        assert verdict.unanswered == 0, "a turn without an outcome"
        assert max(recovery.seconds(ledger.good).values()) < RECOVERY_SECONDS
