"""One shard in one replica: stands in line for it, owns it while the broker says so, leaves it in good order.

A replica learns that it owns the shard by receiving anything from its queue (decision 1). On becoming the owner it
raises the shard's epoch, so that whatever a predecessor still writes is refused, and first finishes what that one left.
"""

import asyncio
import contextlib
from typing import Any

from parley.bus import Delivery, Route
from parley.bus.dead_letters import park
from parley.bus.queues import USER_TO_ENGINE_EXCHANGE, shard_key
from parley.bus.queues import sessions as shard_queue
from parley.contracts.v1 import EventMeta, ShardProbed
from parley.core import ParleyError, Reject, Unavailable
from parley.service import Context
from parley.telemetry import counter, gauge, names
from parley_session_router.machine import Input, Rules
from parley_session_router.shards.inputs import Work, work_of
from parley_session_router.shards.owner import Owner, OwnershipLost
from parley_session_router.store import SessionKey, SessionStore

PREFETCH = 128  # batches in hand
AT_ONCE = 512  # inputs in one grouped commit
PROBE_SECONDS = 2.0
TIMER_SECONDS = 0.25  # how late a timer may ring: a turn that waits for who types rings within two seconds
PARK_PAUSE = 1.0
FLUSH_SECONDS = 5.0
CACHED = 500  # sessions of one shard that are kept at hand

_owned = gauge(names.SHARDS_OWNED)


class ShardWorker:
    """One shard in one replica."""

    def __init__(
        self, ctx: Context[Any], store: SessionStore, shard: int, rules: Rules, *, cached: int = CACHED
    ) -> None:
        self._ctx = ctx
        self._store = store
        self._shard = shard
        self._rules = rules
        self._cached = cached
        self._queue = shard_queue(shard)
        self._handled = counter(names.EVENTS_HANDLED, ctx.service, self._queue.name, "handled")
        self._parked = counter(names.EVENTS_PARKED, ctx.service, self._queue.name)
        self._inbox: list[Delivery | Work] = []
        self._wake = asyncio.Event()
        self._parking: set[asyncio.Task[None]] = set()
        self._told = 0
        self._gives_way = False
        self._owner: Owner | None = None

    @property
    def shard(self) -> int:
        """Its number."""
        return self._shard

    def give_way(self) -> None:
        """Leave the shard in good order, and stand at the end of the line again."""
        self._gives_way = True
        self._wake.set()

    @property
    def owns(self) -> bool:
        """Whether this replica decides for the shard now."""
        return self._owner is not None

    async def run(self) -> None:
        """Own the shard whenever the broker lets us, until the drain."""
        while not self._ctx.draining.is_set():
            try:
                await self._stand_in_line()
            except OwnershipLost as error:
                self._ctx.log.warning("shard.lost", shard=self._shard, why=str(error))

    async def _stand_in_line(self) -> None:
        """One subscription, from the end of the line to leaving it."""
        self._inbox.clear()
        self._gives_way = False
        async with self._ctx.bus.subscribe(self._queue, self._take, prefetch=PREFETCH) as subscription:
            subscription.lost.add_done_callback(self._awaken)
            draining = asyncio.create_task(self._ctx.draining.wait())
            draining.add_done_callback(self._awaken)
            helpers = [draining, asyncio.create_task(self._probe()), asyncio.create_task(self._watch_time())]
            try:
                await self._serve(subscription.lost)
                subscription.pause()
                while self._inbox:
                    await self._handle_batch()
                self._knock()  # wakes whoever stands next in line
            finally:
                for helper in helpers:
                    helper.cancel()
                await self._let_go()

    async def _serve(self, lost: asyncio.Future[None]) -> None:
        """Batch after batch until the drain, or until another replica should own the shard."""
        while not (self._ctx.draining.is_set() or self._gives_way):
            await self._wake.wait()
            self._wake.clear()
            if lost.done():
                lost.result()
            await self._handle_batch()

    async def _handle_batch(self) -> None:
        taken, self._inbox = self._inbox[:AT_ONCE], self._inbox[AT_ONCE:]
        if self._inbox:
            self._wake.set()
        if not taken:
            return
        if self._owner is None:
            await self._become_owner()
        assert self._owner is not None
        works = [work for item in taken if (work := self._work_of(item)) is not None]
        await self._owner.handle(works)
        self._handled.inc(len(taken))

    async def _become_owner(self) -> None:
        owner = Owner(
            self._ctx,
            self._store,
            self._shard,
            self._rules,
            cached=self._cached,
            refuse=self._refuse,
            tell=self._tell,
        )
        await owner.begin()
        self._owner = owner
        _owned.inc()

    async def _let_go(self) -> None:
        owner, self._owner = self._owner, None
        if self._parking:
            await asyncio.wait(set(self._parking), timeout=FLUSH_SECONDS)
        if owner is not None:
            _owned.dec()
            await owner.end()

    def _take(self, deliveries: list[Delivery]) -> None:
        self._inbox.extend(deliveries)
        self._wake.set()

    def _awaken(self, _: asyncio.Future[Any]) -> None:
        self._wake.set()

    def _work_of(self, item: Delivery | Work) -> Work | None:
        """An input from a delivery; what cannot be one is parked, what only probes is settled."""
        if isinstance(item, Work):
            return item
        if isinstance(item.event, ShardProbed):
            item.settle()
            return None
        try:
            return work_of(item)
        except Reject as error:
            self._park(item, f"Reject: {error}")
            return None

    def _tell(self, key: SessionKey, event: Input) -> None:
        """Something that the shard tells itself."""
        self._told += 1
        epoch = self._owner.epoch if self._owner else 0
        self._inbox.append(Work(key, event, f"{self._ctx.replica}.{self._shard}.{epoch}.{self._told}"))
        self._wake.set()

    def _refuse(self, work: Work, cause: str) -> None:
        if work.delivery is not None:
            self._park(work.delivery, cause)
        else:
            self._ctx.log.error("input.refused", shard=self._shard, session=work.key.session, cause=cause)

    def _park(self, delivery: Delivery, cause: str) -> None:
        """To the dead letters, without making its neighbours wait."""
        task = asyncio.create_task(self._parked_for_good(delivery, cause))
        self._parking.add(task)
        task.add_done_callback(self._parking.discard)

    async def _parked_for_good(self, delivery: Delivery, cause: str) -> None:
        while True:
            try:
                await park(self._ctx.bus, self._queue, delivery, cause=cause, attempts=1, service=self._ctx.service)
                break
            except ParleyError as error:
                self._ctx.log.warning("park.failed", queue=self._queue.name, error=str(error))
                await asyncio.sleep(PARK_PAUSE)
        self._parked.inc()
        self._ctx.log.error("event.parked", queue=self._queue.name, cause=cause)
        delivery.settle()

    async def _probe(self) -> None:
        """Ask "who owns this shard" until the answer is: I do."""
        while self._owner is None:
            self._knock()
            await asyncio.sleep(PROBE_SECONDS)

    def _knock(self) -> None:
        """Send the shard's owner something to receive; nothing is lost when it does not arrive."""
        event = ShardProbed(meta=EventMeta(tenant_id="*", session_id="*"), router_id=self._ctx.replica)
        event.shard = self._shard
        with contextlib.suppress(ParleyError):
            sent = self._ctx.bus.publish_nowait(Route(USER_TO_ENGINE_EXCHANGE, shard_key(self._shard)), event)
            sent.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _watch_time(self) -> None:
        """Fire due timers, and mark what has been sent."""
        while True:
            await self._ctx.clock.sleep(TIMER_SECONDS)
            if self._owner is not None:
                with contextlib.suppress(Unavailable):
                    await self._owner.tick()
