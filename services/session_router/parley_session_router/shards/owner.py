"""The owner of one shard: decides what arrived, commits once for all of it, then lets it leave.

Every write is fenced by the epoch that was claimed when the ownership began. A refused write is explained before it is
tried again: a repeat from long ago, another session of the same visitor, a session that moved on, or a newer owner.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from parley.contracts.v1 import MessageReceived, SendMessage
from parley.core import ParleyError, Reject, Unavailable
from parley.service import Context
from parley.telemetry import counter, histogram, names, record
from parley_session_router.machine import GatewayGone, Input, Resumed, Rules, TimeCame, input_key
from parley_session_router.shards import waiting
from parley_session_router.shards.deciding import Decider
from parley_session_router.shards.inputs import Work, check_place
from parley_session_router.shards.relay import Relay
from parley_session_router.shards.sessions import Cache, Known
from parley_session_router.store import SentMark, SessionCommit, SessionKey, SessionRecord, SessionStore

T = TypeVar("T")

LEFTOVERS = 500  # sessions looked at together
RUNNING_AT_MOST = 10_000  # turns asked again on a bus that forgets
MAX_ATTEMPTS = 3
MARK_SECONDS = 1.0
COUNT_SECONDS = 5.0
STORE_PAUSE, LONGEST_PAUSE = 0.2, 5.0
IN_ONE_BREATH = 64  # inputs decided before other tasks of the process have a turn

_commits = counter(names.COMMITS)
_commit_seconds = histogram(names.COMMIT_SECONDS)
_commit_sessions = histogram(names.COMMIT_SESSIONS)
_stale = counter(names.STALE_WRITES)

Refuse = Callable[[Work, str], None]
Tell = Callable[[SessionKey, Input], None]


class OwnershipLost(ParleyError):
    """A newer owner has written: leave, and subscribe again at the end of the line."""


class Owner:
    """One shard from the moment it is ours. `refuse` parks an input, `tell` gives the shard one of its own."""

    def __init__(
        self,
        ctx: Context[Any],
        store: SessionStore,
        shard: int,
        rules: Rules,
        *,
        cached: int,
        refuse: Refuse,
        tell: Tell,
    ) -> None:
        self._ctx = ctx
        self._store = store
        self._shard = shard
        self._rules = rules
        self._refuse = refuse
        self._tell = tell
        self._relay = Relay(ctx, store, lambda key, gateway: tell(key, GatewayGone(gateway)))
        self._cache = Cache(store, cached, self._relay.has_left)
        self._decider = Decider(ctx, shard, rules)
        self._look_at = 0.0  # when the next timer may be due
        self._mark_at = 0.0  # when to note what has left
        self._count_at = 0.0  # when to count who waits for a person
        self.epoch = 0

    async def begin(self) -> None:
        """Fence off every predecessor, then finish what the last one left."""
        self.epoch = await self._patiently(lambda: self._store.claim_shard(self._shard))
        self._ctx.log.info("shard.owned", shard=self._shard, epoch=self.epoch)
        await self._patiently(lambda: self._store.copy_tails(self._shard))
        await self._publish_leftovers()
        if not self._ctx.bus.features.survives_restart:
            await self._ask_again()

    async def handle(self, works: list[Work]) -> None:
        """Decide, commit, let leave. Returns once it is committed and on its way. Raises OwnershipLost."""
        works = [work for work in works if self._belongs(work)]
        for _ in range(MAX_ATTEMPTS):
            if not works:
                return
            known = await self._patiently(lambda: self._cache.fetch(work.key for work in works))  # noqa: B023 - awaited here
            works = await self._decide(works, known)
            stale = await self._commit(known, works)
            works = await self._explain(stale, [work for work in works if work.key in stale])
        for work in works:
            self._refuse(work, "Conflict: its session could not be written")

    async def tick(self) -> None:
        """Fire timers that are due, and note now and then what has left and who waits. Raises Unavailable."""
        now = self._ctx.clock.now()
        if now >= self._mark_at:
            self._mark_at = now + MARK_SECONDS
            await self._relay.mark_sent()
        if now >= self._count_at:
            self._count_at = now + COUNT_SECONDS
            waiting.count(self._shard, await self._store.waiting(self._shard))
        if now < self._look_at:
            return
        due = await self._store.due(self._shard, now, LEFTOVERS)
        for found in due:
            self._tell(found.at, TimeCame())
        following = None if due else await self._store.next_due(self._shard)
        self._look_at = now if due else (following if following is not None else math.inf)

    async def end(self) -> None:
        """Let what is under way finish, so that a graceful leave leaves nothing behind."""
        waiting.leave(self._shard)
        if not await self._relay.flush():
            self._ctx.log.warning("shard.left_unconfirmed", shard=self._shard)
        try:
            await self._relay.mark_sent()
        except Unavailable as error:
            self._ctx.log.warning("store.unavailable", shard=self._shard, error=str(error))

    # ---- one batch ----------------------------------------------------------------------------------------

    def _belongs(self, work: Work) -> bool:
        if work.key in self._cache:
            return True
        try:
            check_place(work.key, self._shard, self._ctx.settings.shards)
        except Reject as error:
            self._refuse(work, f"Reject: {error}")
            return False
        return True

    async def _decide(self, works: list[Work], known: dict[SessionKey, Known]) -> list[Work]:
        """Step every input in order of arrival; one that the machine fails on is parked, its neighbours go on."""
        decided = []
        for number, work in enumerate(works, 1):
            problem = self._decider.decide(work, known[work.key])
            if problem:
                self._refuse(work, problem)
            else:
                decided.append(work)
            if number % IN_ONE_BREATH == 0:
                await asyncio.sleep(0)
        return decided

    async def _commit(self, known: dict[SessionKey, Known], works: list[Work]) -> dict[SessionKey, SessionCommit]:
        """One grouped write, then what it sends. Returns what was refused since somebody else was first."""
        changed = {key: one for key, one in known.items() if one.touched}
        commits = [one.commit(self._shard, self.epoch, self._ctx.bus.pack) for one in changed.values()]
        began = time.time()
        stored = await self._write(commits) if commits else []
        self._note(works, began, len(commits))
        stale = {}
        for (key, one), commit, good in zip(changed.items(), commits, stored, strict=True):
            if good:
                one.stored()
                self._look_at = min(self._look_at, commit.record.due_at or math.inf)
            else:
                stale[key] = commit
                self._cache.forget(key)
                _stale.inc()
        settled = [work.delivery for work in works if work.key not in stale and work.delivery is not None]
        await self._relay.leave([(key, one) for key, one in known.items() if key not in stale], settled)
        self._cache.trim(self._relay.owes)
        return stale

    async def _write(self, commits: Sequence[SessionCommit]) -> list[bool]:
        """Commit, however long the store is away. After a failure the outcome is unknown, so look before trying again.

        A record of ours at the version that we wanted is our own write: nobody else has this epoch.
        """
        stored: dict[SessionKey, bool] = {}
        left, pause = list(commits), STORE_PAUSE
        while left:
            try:
                answers = await self._store.commit(left)
            except Unavailable as error:
                pause = await self._wait_for_store(error, pause)
                keys = [commit.record.at for commit in left]
                found = await self._patiently(lambda: self._store.load(keys))  # noqa: B023 - awaited here
                done = [c.record.at for c in left if self._is_ours(c, found.get(c.record.at))]
                stored.update(dict.fromkeys(done, True))
                left = [commit for commit in left if commit.record.at not in stored]
            else:
                stored.update(zip((commit.record.at for commit in left), answers, strict=True))
                left = []
        return [stored[commit.record.at] for commit in commits]

    def _is_ours(self, commit: SessionCommit, found: SessionRecord | None) -> bool:
        return found is not None and (found.version, found.shard_epoch) == (commit.record.version, self.epoch)

    # ---- refused writes -----------------------------------------------------------------------------------

    async def _explain(self, stale: dict[SessionKey, SessionCommit], works: list[Work]) -> list[Work]:
        """Why these were refused; returns the works that are worth another try. Raises OwnershipLost."""
        if not stale:
            return []
        records = await self._patiently(lambda: self._store.load(list(stale)))
        hopeless = set()
        for key, commit in stale.items():
            found = records.get(key)
            if found is not None and found.shard_epoch > self.epoch:
                raise OwnershipLost(f"shard {self._shard} has a newer owner")
            if (found.version if found else 0) != commit.record.version - 1 or await self._knew_message(key, works):
                continue  # read anew, it will fit
            other = await self._other_session(commit.record)
            if not other:  # nothing has changed but the epoch of the shard
                raise OwnershipLost(f"shard {self._shard} has a newer owner")
            hopeless.add(key)
            for work in works:
                if work.key == key:
                    self._refuse(work, f"Conflict: this visitor of {commit.record.channel} has session {other}")
        return [work for work in works if work.key not in hopeless]

    async def _knew_message(self, key: SessionKey, works: Iterable[Work]) -> bool:
        """Whether a message was stored before, further back than the session remembers: then it remembers it now."""
        wanted = [
            input_key(work.event)
            for work in works
            if work.key == key and isinstance(work.event, MessageReceived | SendMessage)
        ]
        found = await self._patiently(lambda: self._store.find_duplicates(key, wanted)) if wanted else {}
        if found:
            known = (await self._patiently(lambda: self._cache.fetch([key])))[key]
            for message in found.values():
                known.remember(message.message_id, message.seq)
        return bool(found)

    async def _other_session(self, wanted: SessionRecord) -> str:
        """The session that this channel's visitor has already, under another id."""
        if not wanted.external_id:
            return ""
        found = await self._patiently(
            lambda: self._store.resolve(wanted.tenant, wanted.channel, wanted.external_id),
        )
        return found if found and found != wanted.session else ""

    # ---- taking over --------------------------------------------------------------------------------------

    async def _publish_leftovers(self) -> None:
        """What a predecessor committed but perhaps never published. Receivers refuse repeats."""
        while left := await self._patiently(lambda: self._store.pending(self._shard, LEFTOVERS)):
            self._ctx.log.info("shard.leftovers", shard=self._shard, sessions=len(left))
            known = await self._patiently(lambda: self._cache.fetch(found.at for found in left))
            await self._relay.leave(known.items(), [])
            while not await self._relay.flush():
                self._ctx.log.warning("shard.leftovers_wait", shard=self._shard)
            marks = [SentMark(found.tenant, found.session, found.version) for found in left]
            await self._patiently(lambda: self._store.clear_outbox(marks))  # noqa: B023 - awaited here
            self._cache.trim(self._relay.owes)

    async def _ask_again(self) -> None:
        """The bus has forgotten: turns that ran are asked once more under their own ids."""
        horizon = self._ctx.clock.now() + self._rules.longest_turn
        found = await self._patiently(lambda: self._store.due(self._shard, horizon, RUNNING_AT_MOST))
        for record_ in found:
            self._tell(record_.at, Resumed())

    # ---- small things -------------------------------------------------------------------------------------

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask the store until it answers; inputs wait unsettled meanwhile."""
        pause = STORE_PAUSE
        while True:
            try:
                return await call()
            except Unavailable as error:
                pause = await self._wait_for_store(error, pause)

    async def _wait_for_store(self, error: Unavailable, pause: float) -> float:
        self._ctx.log.warning("store.unavailable", shard=self._shard, error=str(error))
        await asyncio.sleep(pause)
        return min(LONGEST_PAUSE, pause * 2)

    def _note(self, works: list[Work], began: float, sessions: int) -> None:
        if not sessions:
            return
        ended = time.time()
        _commits.inc()
        _commit_seconds.observe(ended - began)
        _commit_sessions.observe(sessions)
        for work in works:
            if work.traceparent.endswith("01"):
                record(names.COMMIT, began, ended, context=self._ctx.tracing.follow(work.traceparent))
