"""R01, R04: the broker is killed and comes back, or freezes, under load."""

import asyncio

import pytest

from parley.testing.servers.rabbitmq import RabbitNode, rabbit_node
from tests.faults.desk import Load, Recovery, report, start_all, under_load
from tests.flow.house import a_plot

pytestmark = [pytest.mark.connected, pytest.mark.faults]

LOAD = Load(visitors=30, per_second=2, seconds=14)


async def kill_and_restart(broker: RabbitNode, recovery: Recovery) -> None:
    await asyncio.sleep(5)
    broker.process.kill()
    await broker.restart()
    recovery.broke("broker is back")


async def freeze(broker: RabbitNode, recovery: Recovery) -> None:
    await asyncio.sleep(4)
    broker.process.freeze()
    await asyncio.sleep(5)
    broker.process.thaw()
    recovery.broke("broker is awake")


@pytest.mark.parametrize("fault", [kill_and_restart, freeze], ids=["kill -9 and restart", "SIGSTOP 5 s"])
async def test_a_broker_that_goes_away_loses_doubles_and_shuffles_nothing(fault: object) -> None:
    async with rabbit_node() as broker:
        with a_plot(PARLEY_BUS_URL=broker.url) as house:
            house.apply_topology()
            start_all(house)
            verdict, recovery, ledger = await under_load(house, LOAD, lambda r: fault(broker, r))  # type: ignore[operator]  # one of the two above
            report(f"broker: {getattr(fault, '__name__', '')}", verdict, recovery, ledger)
        assert verdict.acked == verdict.sent
        assert (verdict.lost, verdict.doubled, verdict.reordered, verdict.gaps) == (0, 0, 0, 0)
        assert verdict.unanswered == 0
        assert max(recovery.seconds(ledger.good).values()) < 30
