"""Our own processes are killed, frozen and restarted while visitors write."""

import asyncio
from functools import partial

from tests.faults.desk import CRASH_SECONDS, FROZEN_SECONDS, MARKS, SECONDS, SERVICES, Desk, Load, judged, until

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


async def test_r05_what_a_frozen_router_held_is_taken_over_and_its_late_writes_change_nothing(desk: Desk) -> None:
    await desk.launch("session-router", 2).wait_ready()
    seconds = max(SECONDS, 10)

    async def fault() -> None:
        await asyncio.sleep(1)
        desk.services["session-router"].freeze()
        desk.over("router frozen")
        await desk.until_served(FROZEN_SECONDS + 5)
        desk.services["session-router"].thaw()

    try:
        verdict = judged(
            "R05", "router: SIGSTOP with a second replica", await desk.under_load(fault, Load(seconds=seconds))
        )
    finally:
        await desk.services.stop("session-router-2")
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
