"""After the commit: publish in order, pipelined; settle the inputs once everything they caused is confirmed."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from parley.bus import Delivery, Event, Packed, Route
from parley.core import BusUnavailable, Unroutable
from parley.service import Context
from parley_session_router.shards.sessions import Known
from parley_session_router.store import SentMark, SessionKey, SessionStore

UNDER_WAY = 4  # commits whose publishes are not confirmed yet
BUSY_PAUSE = 0.05  # seconds before an event that the bus had no room for is offered again
FLUSH_SECONDS = 5.0
_GATEWAY = "gateway."


@dataclass(slots=True)
class _Batch:
    """What leaves together after one commit, and what it settles."""

    deliveries: Sequence[Delivery]
    owed: list[tuple[SessionKey, Known, tuple[int, ...]]] = field(default_factory=list)
    confirms: set[asyncio.Future[None]] = field(default_factory=set)
    gateways: list[tuple[asyncio.Future[None], SessionKey, str]] = field(default_factory=list)


class Relay:
    """The way out of one shard. `gone` is told of sessions and gateways that no delivery reaches any more."""

    def __init__(self, ctx: Context[Any], store: SessionStore, gone: Callable[[SessionKey, str], None]) -> None:
        self._ctx = ctx
        self._store = store
        self._gone = gone
        self._window = asyncio.Semaphore(UNDER_WAY)
        self._tasks: set[asyncio.Task[None]] = set()
        self._marks: dict[SessionKey, SentMark] = {}

    def owes(self, key: SessionKey) -> bool:
        """Whether the session's record does not know yet that everything has left."""
        return key in self._marks

    def has_left(self, key: SessionKey, version: int) -> bool:
        """Whether everything that this version of the session owes is published, though its record may not say so."""
        mark = self._marks.get(key)
        return mark is not None and mark.version == version

    async def leave(self, known: Iterable[tuple[SessionKey, Known]], deliveries: Sequence[Delivery]) -> None:
        """Publish all that these sessions send, then settle the deliveries. Returns when another commit may follow."""
        batch = _Batch(deliveries)
        await self._window.acquire()
        try:
            for key, one in known:
                sends, versions = one.leave()
                if versions:
                    batch.owed.append((key, one, versions))
                for route, event in sends:
                    await self._publish(batch, key, route, event)
        except BaseException:
            self._window.release()
            raise
        task = asyncio.create_task(self._confirmed(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def mark_sent(self) -> None:
        """Tell the store what has left. Raises Unavailable; losing a mark only costs a repeat."""
        marks = dict(self._marks)
        if not marks:
            return
        await self._store.clear_outbox(list(marks.values()))
        for key, mark in marks.items():
            if self._marks.get(key) is mark:
                del self._marks[key]

    async def flush(self) -> bool:
        """Wait until nothing is under way; False when something still is."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=FLUSH_SECONDS)
        return not self._tasks

    async def _publish(self, batch: _Batch, key: SessionKey, route: Route, event: Event | Packed) -> None:
        while True:
            try:
                confirm = self._ctx.bus.publish_nowait(route, event)
                break
            except BusUnavailable:  # the broker is slower than we are: wait, so that inputs wait in their queue
                await asyncio.sleep(BUSY_PAUSE)
        if not route.durable:
            return
        batch.confirms.add(confirm)
        if route.key.startswith(_GATEWAY):
            batch.gateways.append((confirm, key, route.key.removeprefix(_GATEWAY)))

    async def _confirmed(self, batch: _Batch) -> None:
        try:
            if batch.confirms:
                await asyncio.wait(batch.confirms)
            errors = [error for confirm in batch.confirms if (error := confirm.exception()) is not None]
            unknown = [error for error in errors if not isinstance(error, Unroutable)]
            if unknown:  # nothing is settled, so all of it comes again and has its effect once
                self._ctx.log.warning("relay.unconfirmed", error=str(unknown[0]), batches=len(unknown))
                return
            if errors:
                self._forget_gateways(batch)
            self._done(batch)
        finally:
            self._window.release()

    def _forget_gateways(self, batch: _Batch) -> None:
        """Nobody reads these gateways' queues any more."""
        for confirm, key, gateway in batch.gateways:
            if confirm.exception() is not None:
                self._gone(key, gateway)

    def _done(self, batch: _Batch) -> None:
        for key, known, versions in batch.owed:
            if known.sent(versions):
                self._marks[key] = SentMark(key.tenant, key.session, known.version)
        for delivery in batch.deliveries:
            delivery.settle()
