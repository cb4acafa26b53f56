"""Which replica should own which shard: routers tell each other that they live, and rendezvous hashing does the rest.

The broker alone decides who owns a shard (decision 1). A holder that is not the preferred one leaves in good order and
stands in line again, until the preferred one comes first; when nobody hears of anybody, everything stays where it is.
Rendezvous hashing: Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Sequence
from typing import Any

from parley.contracts.v1 import EventMeta, RouterSeen
from parley.core import ParleyError
from parley.service import Context
from parley_session_router.shards.worker import ShardWorker

ANNOUNCE_SECONDS = 4.0
GONE_SECONDS = 3 * ANNOUNCE_SECONDS + 1  # without a word
SETTLED_SECONDS = 2 * ANNOUNCE_SECONDS  # the same routers for so long, before any shard is moved
MOVE_SECONDS = 0.5  # between two shards that one replica gives up
LONGEST_SECONDS = 60.0  # between two times that the same shard is given up


class Routers:
    """Who else is there. Pure: times are monotonic seconds, given by the caller."""

    def __init__(self, me: str, now: float) -> None:
        self._me = me
        self._heard = {me: now}
        self._changed = now

    def hear(self, router: str, now: float, *, leaving: bool) -> None:
        """One of them spoke."""
        known = router in self._heard
        if leaving:
            self._heard.pop(router, None)
        else:
            self._heard[router] = now
        if known == leaving:
            self._changed = now

    def settled(self, now: float) -> bool:
        """Whether nobody has come or gone for a while."""
        self._heard[self._me] = now
        for silent in [router for router, at in self._heard.items() if now - at > GONE_SECONDS]:
            del self._heard[silent]
            self._changed = now
        return now - self._changed >= SETTLED_SECONDS

    def preferred(self, shard: int) -> str:
        """The router that should own this shard: every replica names the same one."""
        return max(self._heard, key=lambda router: (_weight(router, shard), router))


class Balance:
    """Keeps this replica's shards where they belong."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._ctx = ctx
        self._routers = Routers(ctx.replica, ctx.clock.monotonic())
        self._patience: dict[int, tuple[float, float]] = {}  # by shard: kept until, and for how long next time

    def hear(self, event: RouterSeen) -> None:
        """A router lives, or leaves."""
        if event.router_id and event.router_id != self._ctx.replica:
            self._routers.hear(event.router_id, self._ctx.clock.monotonic(), leaving=event.leaving)

    async def keep(self, workers: Sequence[ShardWorker]) -> None:
        """Announce ourselves and give up what others should own, until the drain."""
        announced = float("-inf")
        while not self._ctx.draining.is_set():
            now = self._ctx.clock.monotonic()
            if now - announced >= ANNOUNCE_SECONDS:
                announced = now
                self._announce(leaving=False)
            if not self._routers.settled(now):
                self._patience.clear()
            else:
                self._give_up_one(workers, now)
            await self._pause()
        self._announce(leaving=True)

    def _give_up_one(self, workers: Sequence[ShardWorker], now: float) -> None:
        for worker in workers:
            shard = worker.shard
            until, patience = self._patience.get(shard, (0.0, MOVE_SECONDS))
            if now >= until and worker.owns and self._routers.preferred(shard) != self._ctx.replica:
                # It may come back to us while the preferred one is slow to stand in line: insist less and less.
                self._patience[shard] = (now + patience, min(2 * patience, LONGEST_SECONDS))
                self._ctx.log.info("shard.given_up", shard=shard, to=self._routers.preferred(shard))
                worker.give_way()
                return

    def _announce(self, *, leaving: bool) -> None:
        meta = EventMeta(tenant_id="*", session_id="*")
        with contextlib.suppress(ParleyError):
            said = self._ctx.publish_nowait(RouterSeen(meta=meta, router_id=self._ctx.replica, leaving=leaving))
            said.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _pause(self) -> None:
        waiting = asyncio.create_task(self._ctx.draining.wait())
        sleeping = asyncio.create_task(self._ctx.clock.sleep(MOVE_SECONDS))
        await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (waiting, sleeping):
            task.cancel()


def _weight(router: str, shard: int) -> bytes:
    return hashlib.blake2b(f"{router}\x1f{shard}".encode(), digest_size=8).digest()
