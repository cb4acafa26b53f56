"""The owner of one shard: takes what has arrived, decides, commits once for all, publishes, then settles.

A replica learns that it owns the shard by receiving anything from its queue (decision 1). On becoming the owner it
raises the shard's epoch, so that whatever a predecessor still writes is refused, and first finishes what that one left.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from parley.bus import Delivery, Route
from parley.bus.dead_letters import park
from parley.bus.queues import sessions as shard_queue
from parley.bus.routes import to_shard
from parley.contracts.v1 import EventMeta, MessageReceived, SendMessage, ShardProbed
from parley.core import ParleyError, Unavailable
from parley.service import Context
from parley.telemetry import TraceContext, counter, gauge, histogram, names, record, span
from parley_session_router.machine import GatewayGone, Input, Resumed, Rules, TimeCame, input_key, step
from parley_session_router.shards.relay import Relay
from parley_session_router.shards.sessions import Cache, Known
from parley_session_router.store import RecentId, SentMark, SessionKey, SessionRecord, SessionStore

T = TypeVar("T")

PREFETCH = 128  # batches in hand
AT_ONCE = 512  # inputs in one grouped commit
CACHED = 500  # sessions of one shard that are kept at hand
PROBE_SECONDS = 2.0
TIMER_SECONDS = 1.0
LEFTOVERS = 500
STORE_PAUSE = 0.2
MAX_ATTEMPTS = 3

_commits = counter(names.COMMITS)
_commit_seconds = histogram(names.COMMIT_SECONDS)
_commit_sessions = histogram(names.COMMIT_SESSIONS)
_owned = gauge(names.SHARDS_OWNED)
_stale = counter(names.STALE_WRITES)
_duplicates = counter(names.DUPLICATES, "input")


class OwnershipLost(ParleyError):
    """A newer owner has written: leave, and subscribe again at the end of the line."""


@dataclass(slots=True)
class Work:
    """One input: a delivery, or something that the shard tells itself."""

    key: SessionKey
    event: Input
    delivery: Delivery | None = None
    cause: str = ""


class ShardWorker:
    """One shard in one replica."""

    def __init__(self, ctx: Context[Any], store: SessionStore, shard: int, rules: Rules) -> None:
        self._ctx = ctx
        self._store = store
        self._shard = shard
        self._rules = rules
        self._queue = shard_queue(shard)
        self._inbox: list[Delivery | Work] = []
        self._wake = asyncio.Event()
        self._epoch = 0
        self._cache = Cache(store, CACHED)
        self._relay = self._new_relay()
        self._parking: set[asyncio.Task[None]] = set()
        self._internal = 0

    async def run(self) -> None:
        """Own the shard whenever the broker lets us, until the drain."""
        while not self._ctx.draining.is_set():
            try:
                await self._subscribed()
            except OwnershipLost:
                self._ctx.log.warning("shard.lost", shard=self._shard, epoch=self._epoch)

    async def _subscribed(self) -> None:
        self._epoch, self._cache, self._relay = 0, Cache(self._store, CACHED), self._new_relay()
        self._inbox.clear()
        async with self._ctx.bus.subscribe(self._queue, self._take, prefetch=PREFETCH) as subscription:
            helpers = [asyncio.create_task(self._probe()), asyncio.create_task(self._watch_time())]
            draining = asyncio.create_task(self._ctx.draining.wait())
            try:
                await self._serve(subscription.lost, draining)
                subscription.pause()
                await self._handle_rest()
            finally:
                for helper in (*helpers, draining):
                    helper.cancel()
                await self._flush()
                if self._epoch:
                    _owned.dec()

    def _take(self, deliveries: list[Delivery]) -> None:
        self._inbox.extend(deliveries)
        self._wake.set()

    async def _serve(self, lost: asyncio.Future[None], draining: asyncio.Task[Any]) -> None:
        """Batch after batch until the drain."""
        stops: set[asyncio.Future[Any]] = {lost, draining}
        while not draining.done():
            waking = asyncio.ensure_future(self._wake.wait())
            await asyncio.wait({waking, *stops}, return_when=asyncio.FIRST_COMPLETED)
            waking.cancel()
            if lost.done():
                lost.result()
            await self._handle_batch()

    async def _handle_rest(self) -> None:
        while self._inbox:
            await self._handle_batch()

    async def _handle_batch(self) -> None:
        self._wake.clear()
        taken, self._inbox = self._inbox[:AT_ONCE], self._inbox[AT_ONCE:]
        if self._inbox:
            self._wake.set()
        if not taken:
            return
        if not self._epoch:
            await self._become_owner()
        works = [work for item in taken if (work := await self._work_of(item)) is not None]
        await self._decide(works)

    async def _work_of(self, item: Delivery | Work) -> Work | None:
        """An input from a delivery; what cannot be one is parked, what only probes is settled."""
        if isinstance(item, Work):
            return item
        event = item.event
        if event is None or not isinstance(event, self._queue.events):
            problem = item.problem or f"{type(event).__name__} does not belong on {self._queue.name}"
            await self._park(item, f"Reject: {problem}", 1)
            return None
        if isinstance(event, ShardProbed):
            item.settle()
            return None
        if not event.meta.tenant_id or not event.meta.session_id:
            await self._park(item, "Reject: it names no tenant or no session", 1)
            return None
        return Work(SessionKey(event.meta.tenant_id, event.meta.session_id), event, item, event.meta.event_id)

    async def _decide(self, works: list[Work]) -> None:
        """Step every input in order of arrival, commit what changed, let it leave. Repeats until all are committed."""
        for _ in range(MAX_ATTEMPTS):
            if not works:
                return
            known = await self._patiently(partial(self._cache.fetch, [work.key for work in works]))
            accepted = [work for work in works if self._step(work, known[work.key])]
            stale = await self._commit(known, accepted)
            works = await self._without_repeats([work for work in accepted if work.key in stale])
        for work in works:
            if work.delivery is not None:
                await self._park(work.delivery, "Conflict: its session could not be written", MAX_ATTEMPTS)

    def _step(self, work: Work, known: Known) -> bool:
        """Decide one input; False when the machine itself failed on it: that input is parked, its neighbours go on."""
        context = self._context(work)
        try:
            with span(names.DECIDE, context=context) as recording:
                recording.set(names.SHARD, self._shard)
                recording.set(names.SESSION, work.key.session)
                recording.set(names.TENANT, work.key.tenant)
                now = self._ctx.clock.now()
                decision = step(known.state, work.event, now, self._rules, traceparent=recording.context.traceparent)
                recording.set(names.DECISION, decision.why)
                known.apply(decision, work.cause)
        except Exception as error:  # noqa: BLE001 - one broken input must not stop a shard
            self._ctx.log.error("step.failed", exc=error, session=work.key.session, input=type(work.event).__name__)
            if work.delivery is not None:
                cause = f"{type(error).__name__}: {error}"
                self._spawn(self._park(work.delivery, cause, 1))
            return False
        if decision.duplicates:
            _duplicates.inc(decision.duplicates)
        return True

    async def _commit(self, known: dict[SessionKey, Known], works: list[Work]) -> set[SessionKey]:
        """One grouped write; returns the sessions that somebody else was first with."""
        changed = {key: one for key, one in known.items() if one.touched}
        began = time.time()
        commits = [one.commit(self._shard, self._epoch) for one in changed.values()]
        stored = await self._patiently(lambda: self._store.commit(commits)) if commits else []
        stale = {key for key, good in zip(changed, stored, strict=True) if not good}
        self._note_commit(works, began, len(commits))
        for key, one in changed.items():
            if key in stale:
                _stale.inc()
                self._cache.forget(key)
            else:
                one.stored()
        settled = [work.delivery for work in works if work.key not in stale and work.delivery is not None]
        await self._relay.leave([(key, one) for key, one in known.items() if key not in stale], settled)
        self._cache.trim(self._relay.owes)
        return stale

    def _tell(self, key: SessionKey, event: Input) -> None:
        """Something that the shard tells itself."""
        self._internal += 1
        self._inbox.append(Work(key, event, None, f"{self._ctx.replica}.{self._shard}.{self._epoch}.{self._internal}"))
        self._wake.set()

    async def _without_repeats(self, works: list[Work]) -> list[Work]:
        """A write is also refused when its message is stored further back than memory goes: tell the machine."""
        for work in works:
            if isinstance(work.event, MessageReceived | SendMessage):
                key = input_key(work.event)
                found = await self._patiently(partial(self._store.find_duplicates, work.key, [key]))
                if key in found:
                    (known,) = (await self._cache.fetch([work.key])).values()
                    known.remember(RecentId(key, found[key].message_id, found[key].seq))
        await self._check_epoch(works)
        return works

    async def _check_epoch(self, works: list[Work]) -> None:
        keys = list({work.key for work in works})
        if not keys:
            return
        records = await self._patiently(lambda: self._store.load(keys))
        if any(found.shard_epoch > self._epoch for found in records.values()):
            raise OwnershipLost(f"shard {self._shard} has a newer owner")

    # ---- becoming the owner, timers, housekeeping ---------------------------------------------------------

    async def _become_owner(self) -> None:
        self._epoch = await self._patiently(lambda: self._store.claim_shard(self._shard))
        _owned.inc()
        self._ctx.log.info("shard.owned", shard=self._shard, epoch=self._epoch)
        await self._patiently(lambda: self._store.copy_tails(self._shard))
        left = await self._patiently(lambda: self._store.pending(self._shard, LEFTOVERS))
        while left:
            await self._publish_leftovers(left)
            left = await self._patiently(lambda: self._store.pending(self._shard, LEFTOVERS))
        if not self._ctx.bus.features.survives_restart:
            await self._ask_again()

    async def _publish_leftovers(self, left: list[SessionRecord]) -> None:
        """What a predecessor committed but perhaps never published. Receivers refuse repeats."""
        known = await self._patiently(lambda: self._cache.fetch(found.at for found in left))
        await self._relay.leave(known.items(), [])
        while not await self._relay.flush():
            self._ctx.log.warning("shard.leftovers_wait", shard=self._shard)
        marks = [SentMark(found.tenant, found.session, found.version) for found in left]
        await self._patiently(lambda: self._store.clear_outbox(marks))
        self._cache.trim(self._relay.owes)

    async def _ask_again(self) -> None:
        """The bus has forgotten: turns that ran are asked once more under their own ids."""
        horizon = self._ctx.clock.now() + self._rules.turn_seconds
        for found in await self._patiently(lambda: self._store.due(self._shard, horizon, 10_000)):
            self._tell(found.at, Resumed())

    async def _probe(self) -> None:
        """Ask "who owns this shard" until the answer is: I do."""
        while not self._epoch:
            event = ShardProbed(meta=EventMeta(tenant_id="*", session_id="*"), router_id=self._ctx.replica)
            event.shard = self._shard
            route = Route(to_shard(event, 1).exchange, f"shard.{self._shard:02d}")
            with contextlib.suppress(ParleyError):
                sent = self._ctx.bus.publish_nowait(route, event)
                sent.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.sleep(PROBE_SECONDS)

    async def _watch_time(self) -> None:
        """Fire due timers, and mark what has been sent."""
        while True:
            await self._ctx.clock.sleep(TIMER_SECONDS)
            if not self._epoch:
                continue
            with contextlib.suppress(Unavailable):
                await self._relay.mark_sent()
                for found in await self._store.due(self._shard, self._ctx.clock.now(), LEFTOVERS):
                    self._tell(found.at, TimeCame())

    async def _flush(self) -> None:
        """Let what is under way end, so that a graceful leave leaves nothing behind."""
        if self._parking:
            await asyncio.wait(set(self._parking), timeout=5)
        await self._relay.flush()
        with contextlib.suppress(Unavailable):
            await self._relay.mark_sent()

    def _new_relay(self) -> Relay:
        return Relay(self._ctx, self._store, lambda key, gateway: self._tell(key, GatewayGone(gateway)))

    # ---- small things -----------------------------------------------------------------------------------

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call the store until it answers; inputs wait unsettled meanwhile."""
        pause = STORE_PAUSE
        while True:
            try:
                return await call()
            except Unavailable as error:
                self._ctx.log.warning("store.unavailable", shard=self._shard, error=str(error))
                await asyncio.sleep(pause)
                pause = min(5.0, pause * 2)

    async def _park(self, delivery: Delivery, cause: str, attempts: int) -> None:
        await park(self._ctx.bus, self._queue, delivery, cause=cause, attempts=attempts, service=self._ctx.service)
        counter(names.EVENTS_PARKED, self._ctx.service, self._queue.name).inc()
        delivery.settle()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._parking.add(task)
        task.add_done_callback(self._parking.discard)

    def _context(self, work: Work) -> TraceContext:
        """The trace of an input, its wait in the queue noted."""
        meta = work.event.meta if work.delivery is not None else None  # type: ignore[union-attr]  # deliveries are events
        context = self._ctx.tracing.follow(meta.traceparent if meta else "")
        if meta is not None and work.delivery is not None and context.tracer is not None:
            published = meta.occurred_at.seconds + meta.occurred_at.nanos / 1e9
            record(names.WAIT_IN_QUEUE, published, work.delivery.received_at, context=context, kind="consumer")
        return context

    def _note_commit(self, works: list[Work], began: float, sessions: int) -> None:
        if not sessions:
            return
        ended = time.time()
        _commits.inc()
        _commit_seconds.observe(ended - began)
        _commit_sessions.observe(sessions)
        for work in works:
            meta = work.event.meta if work.delivery is not None else None  # type: ignore[union-attr]  # as above
            if meta is not None and meta.traceparent.endswith("01"):
                record(names.COMMIT, began, ended, context=self._ctx.tracing.follow(meta.traceparent))
