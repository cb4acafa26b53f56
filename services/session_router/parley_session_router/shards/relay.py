"""After the commit: publish in order, pipelined; settle the inputs once everything they caused is confirmed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from parley.bus import Delivery, Event, Route
from parley.core import BusUnavailable, Unroutable
from parley.service import Context
from parley_session_router.shards.outgoing import Send
from parley_session_router.shards.sessions import Known
from parley_session_router.store import SentMark, SessionKey, SessionStore

UNDER_WAY = 4  # commits whose publishes are not confirmed yet
BUSY_PAUSE = 0.05  # seconds before an event that the bus had no room for is offered again
FLUSH_SECONDS = 5.0
_GATEWAY = "gateway."


class Part(NamedTuple):
    """One session's part of a commit."""

    key: SessionKey
    known: Known
    version: int
    sends: list[Send]


@dataclass(slots=True)
class _Batch:
    parts: list[Part]
    deliveries: Sequence[Delivery]
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

    async def leave(self, parts: list[Part], deliveries: Sequence[Delivery]) -> None:
        """Publish all parts in order, then settle the deliveries. Returns when another commit may follow."""
        await self._window.acquire()
        batch = _Batch(parts, deliveries)
        try:
            for part in parts:
                for route, event in part.sends:
                    await self._publish(batch, part.key, route, event)
        except BaseException:
            self._window.release()
            raise
        if not batch.confirms:
            self._done(batch)
            self._window.release()
            return
        task = asyncio.create_task(self._confirmed(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def mark_sent(self) -> None:
        """Tell the store what has left. Raises Unavailable; losing a mark only costs a repeat."""
        marks = list(self._marks.values())
        if marks:
            await self._store.clear_outbox(marks)
            for mark in marks:
                if self._marks.get(key := SessionKey(mark.tenant, mark.session)) is mark:
                    del self._marks[key]

    async def flush(self) -> None:
        """Wait until nothing is under way, so that a graceful leave leaves nothing behind."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=FLUSH_SECONDS)

    async def _publish(self, batch: _Batch, key: SessionKey, route: Route, event: Event) -> None:
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
            await asyncio.wait(batch.confirms)
            errors = [confirm.exception() for confirm in batch.confirms]
            unknown = [error for error in errors if error is not None and not isinstance(error, Unroutable)]
            if unknown:  # nothing is settled, so all of it comes again and has its effect once
                self._ctx.log.warning("relay.unconfirmed", error=str(unknown[0]), events=len(unknown))
                return
            for confirm, key, gateway in batch.gateways:
                if confirm.exception() is not None:
                    self._gone(key, gateway)
            self._done(batch)
        finally:
            self._window.release()

    def _done(self, batch: _Batch) -> None:
        for part in batch.parts:
            if part.known.unsent and part.known.sent(part.version):
                self._marks[part.key] = SentMark(part.key.tenant, part.key.session, part.known.version)
        for delivery in batch.deliveries:
            delivery.settle()
