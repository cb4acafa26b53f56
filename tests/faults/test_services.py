"""Our own processes are killed, frozen and restarted while visitors write."""

import asyncio
from functools import partial

import pytest

from tests.faults.desk import CRASH_SECONDS, FROZEN_SECONDS, LONG, MARKS, SECONDS, SERVICES, Desk, Load, judged, until

pytestmark = MARKS


def _more_than(desk: Desk, heard: int) -> bool:
    return len(desk.ledger.good) > heard


async def test_r06_killing_every_service_in_turn_loses_doubles_and_shuffles_nothing(desk: Desk) -> None:
    seconds = max(SECONDS, 12)

    async def fault() -> None:
        for number in range(max(len(SERVICES), int(seconds / 4))):
            await asyncio.sleep(seconds / max(len(SERVICES), int(seconds / 4)) - 0.5)
            name = SERVICES[number % len(SERVICES)]
            desk.over(name)
            desk.services[name].kill_and_begin_again()

    verdict = judged("R06", "kill -9 each service in turn", await desk.under_load(fault, Load(seconds=seconds)))
    assert verdict.broken() == {}
    assert verdict.recovery_s <= CRASH_SECONDS


@pytest.mark.parametrize("frozen", [(name,) for name in SERVICES] if LONG else [SERVICES], ids=" and ".join)
async def test_r05_what_a_frozen_process_held_is_taken_over_and_its_late_writes_change_nothing(
    desk: Desk, frozen: tuple[str, ...]
) -> None:
    """Each service has a second replica; the load balancer leads new connections to the gateway that is ready."""
    seconds = max(SECONDS, 10)
    replicas = [desk.launch(name, 2) for name in frozen]
    await asyncio.gather(*(replica.wait_ready() for replica in replicas))

    async def fault() -> None:
        await asyncio.sleep(1.5)
        for name in frozen:
            desk.services[name].freeze()
        desk.over(f"{' and '.join(frozen)} frozen")
        if "gateway" in frozen:
            desk.front.lead_to(desk.spare_port)
        await asyncio.sleep(1)  # everybody has written by now, many to nobody
        await desk.until_served(FROZEN_SECONDS + 5)
        for name in frozen:
            desk.services[name].thaw()

    try:
        verdict = await desk.under_load(fault, Load(per_second=1, seconds=seconds, messages=3))
        judged("R05", f"{' and '.join(frozen)}: SIGSTOP beside a second replica", verdict)
    finally:
        await desk.mend()
        for name in frozen:
            await desk.services.stop(f"{name}-2")
    assert verdict.broken() == {}
    assert verdict.everyone_s <= FROZEN_SECONDS


async def test_r13_what_was_published_but_not_yet_marked_as_sent_has_its_effect_once(desk: Desk) -> None:
    """A router marks once a second what the broker has confirmed: killed right after an answer, it had not yet."""

    async def fault() -> None:
        for _ in range(max(2, int(SECONDS / 6))):
            heard = len(desk.ledger.good)
            await asyncio.sleep(1)
            await until(partial(_more_than, desk, heard), 10)
            desk.over("router killed after an answer")
            desk.services["session-router"].kill_and_begin_again()
            await desk.services["session-router"].wait_ready()

    verdict = judged("R13", "router: kill -9 between confirm and mark", await desk.under_load(fault))
    assert verdict.broken() == {}
