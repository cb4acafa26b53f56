"""Routers come and go, or die in the middle of a commit, while visitors write."""

import asyncio

from tests.faults.desk import CRASH_SECONDS, MARKS, SECONDS, Desk, judged

pytestmark = MARKS
SHARDS = 16


async def test_r15_routers_from_one_to_three_to_one_keep_every_order(desk: Desk) -> None:
    async def fault() -> None:
        await asyncio.sleep(1)
        for replica in (2, 3):
            await desk.launch("session-router", replica).wait_ready()
            desk.over(f"router {replica} came")
            await asyncio.sleep(SECONDS / 6)
        for name in ("session-router", "session-router-2"):
            desk.over("a router leaves")
            await desk.services.stop(name)
            await asyncio.sleep(SECONDS / 6)

    try:
        verdict = judged("R15", "routers 1 → 3 → 1", await desk.under_load(fault))
        torn = [torn for visitor in desk.visitors for torn in visitor.torn]
    finally:
        desk.launch("session-router")
        await desk.services["session-router"].wait_ready()
        await desk.services.stop("session-router-3")
    assert verdict.broken() == {}
    assert torn == []
    assert sum(visitor.reloads for visitor in desk.visitors) == 0
    assert verdict.recovery_s <= CRASH_SECONDS


async def test_a_router_killed_in_the_middle_of_a_commit_tears_no_stream(desk: Desk) -> None:
    """The commit is written, its answer held: then kill -9. The next router finds it; the visitor notices nothing."""

    async def fault() -> None:
        for _ in range(max(2, int(SECONDS / 8))):
            await asyncio.sleep(1)
            desk.database_line.freeze("down")
            await asyncio.sleep(0.5)
            desk.over("router killed in a commit")
            desk.services["session-router"].kill()
            desk.database_line.cut()
            desk.database_line.heal()
            desk.services["session-router"].launch()
            await desk.until_served(30)

    verdict = judged("R06", "router: kill -9 in the middle of a commit", await desk.under_load(fault))
    assert verdict.broken() == {}
    assert [torn for visitor in desk.visitors for torn in visitor.torn] == []
    assert sum(visitor.reloads for visitor in desk.visitors) == 0
