"""The knowledge of all tenants: the store is the truth, the snapshots are what searches see, and follow it."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, TypeVar

from parley.core import Clock, NotFound, SystemClock, Unavailable
from parley.telemetry import gauge, names
from parley_knowledge.annals import Annals
from parley_knowledge.documents import Chunk, Draft, Record, Scope
from parley_knowledge.editing import Editor, Told, nobody
from parley_knowledge.facts import Fact, answering
from parley_knowledge.index import Shelf, Snapshot
from parley_knowledge.ingest import chunks_of
from parley_knowledge.releases import Change
from parley_knowledge.search import Findings, search
from parley_knowledge.store import DocumentStore
from parley_knowledge.text import language_from
from parley_knowledge.vectors import Nearness

LOADED_AT_ONCE: Final = 500  # documents whose passages are read in one go
SEARCHERS: Final = 2
READY_SECONDS: Final = 5.0  # that a search waits for the first load
KEPT_SECONDS: Final = 300.0  # that a version can still be searched as fast as ever; no turn takes longer
KEPT_MOST: Final = 8
A = TypeVar("A")


class Library:
    """Puts, removes and searches documents. Open it with `open_library`."""

    def __init__(self, store: DocumentStore, clock: Clock, *, told: Told) -> None:
        self.store = store
        self.clock = clock
        self.annals = Annals(store)
        self.changed = asyncio.Event()  # something was written here: refresh now, do not wait for the next look
        self.ready = asyncio.Event()  # all that was stored at the start can be searched
        self.editor = Editor(store, self.annals, clock, told=told, published=self.changed.set)
        self.nearness: Nearness | None = None  # what means the same, beside what says the same
        self._shelves: dict[str, Shelf] = {}
        self._kept: dict[str, deque[tuple[float, Snapshot]]] = defaultdict(lambda: deque(maxlen=KEPT_MOST))
        self._refreshing = asyncio.Lock()
        self._indexer = ThreadPoolExecutor(1, thread_name_prefix="knowledge-index")
        self._cutter = ThreadPoolExecutor(1, thread_name_prefix="knowledge-cut")
        self._searchers = ThreadPoolExecutor(SEARCHERS, thread_name_prefix="knowledge-search")

    def close(self) -> None:
        """End the threads; running work is finished."""
        self._cutter.shutdown()
        self._indexer.shutdown()
        self._searchers.shutdown()

    def snapshot(self, tenant: str) -> Snapshot:
        """What a search of this tenant sees now."""
        shelf = self._shelves.get(tenant)
        return shelf.snapshot if shelf else Snapshot()

    async def snapshot_of(self, tenant: str, number: int) -> Snapshot:
        """What a search of a version sees: at once for those of the last minutes, built anew for older ones.

        Raises NotFound for a version that is not there.
        """
        if number > self.snapshot(tenant).revision:
            await self.refresh()
        for snapshot in (self.snapshot(tenant), *(kept for _, kept in self._kept[tenant])):
            if snapshot.revision == number:
                return snapshot
        history = await self.annals.of(tenant)
        if number > history.number:
            raise NotFound(f"there is no knowledge version {number}; the last one is {history.number}")
        added = [pair async for pair in self._loaded(tenant, history.at(number).values())]
        built = await self._in(self._indexer, lambda: Shelf().change(added, [], number))
        self._keep(tenant, built)
        return built

    async def search(
        self, tenant: str, query: str, *, limit: int, language: str = "", scope: Scope | None = None, version: int = 0
    ) -> Findings:
        """Search in a thread, beside any rebuilding. Raises Unavailable when the first load takes too long."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self.ready.wait()
        except TimeoutError:
            raise Unavailable("the knowledge is still being loaded; ask again in a few seconds") from None
        snapshot = await self.snapshot_of(tenant, version) if version else self.snapshot(tenant)
        seen = scope or Scope(now=self.clock.now())
        asked = language_from(language, query)
        near = await self.nearness.near(tenant, snapshot, query, asked) if self.nearness else []
        return await self._in(
            self._searchers, lambda: search(snapshot, query, limit=limit, language=language, scope=seen, near=near)
        )

    async def facts(self, tenant: str, query: str, findings: Findings) -> list[tuple[Fact, float]]:
        """The key facts among what a search has found that answer best."""
        snapshot = await self.snapshot_of(tenant, findings.revision)
        return await self._in(self._searchers, lambda: answering(snapshot, query, findings))

    async def put(self, tenant: str, draft: Draft, *, source: str = "", proposal_id: str = "") -> tuple[Record, bool]:
        """Add or replace a document; the same content twice changes nothing. Raises Invalid, Conflict, Unavailable."""
        chunks = await self._in(self._cutter, lambda: chunks_of(draft.text, draft.title))
        return await self.editor.put(tenant, draft, chunks, source=source, proposal_id=proposal_id)

    async def remove(self, tenant: str, document_id: str, *, proposal_id: str = "") -> bool:
        """Remove a document; False when there is none. Raises Conflict, Unavailable."""
        return await self.editor.remove(tenant, document_id, proposal_id=proposal_id)

    async def page(self, tenant: str, after: str, limit: int, *, version: int = 0) -> list[Record]:
        """The documents of a version, or those that are live, whose uri comes after `after`."""
        history = await self.annals.of(tenant)
        live = history.at(version).values() if version else history.live.values()
        some = sorted((change for change in live if change.uri > after), key=lambda change: change.uri)[:limit]
        return await self.records(tenant, some)

    async def records(self, tenant: str, changes: Iterable[Change]) -> list[Record]:
        """What these changes made live."""
        wanted = list(changes)
        found = await self.store.records(tenant, [change.chunk_set for change in wanted])
        return [replace(found[c.chunk_set], version=c.version, source=c.source) for c in wanted if c.chunk_set in found]

    async def embed(self) -> None:
        """Bring the vectors up to what is searched, beside all searches. Raises Unavailable."""
        for tenant, shelf in list(self._shelves.items()):
            if self.nearness:
                await self.nearness.follow(tenant, shelf.snapshot)

    async def refresh(self, *, all_tenants: bool = False) -> None:
        """Bring the snapshots up to what is stored; only tenants with a new release, unless all are wanted."""
        async with self._refreshing:
            for tenant, number in (await self.store.heads()).items():
                if all_tenants or self.snapshot(tenant).revision < number:
                    await self._refresh(tenant)

    async def _refresh(self, tenant: str) -> None:
        history = await self.annals.of(tenant)
        number, live = history.number, dict(history.live)
        shelf = self._shelves.setdefault(tenant, Shelf())
        if shelf.snapshot.revision == number:
            return
        shelved = shelf.chunk_sets()
        wanted = [change for key, change in live.items() if shelved.get(key) != change.chunk_set]
        removed = [key for key in shelved if key not in live]
        added = [pair async for pair in self._loaded(tenant, wanted)]
        before = shelf.snapshot
        await self._in(self._indexer, lambda: shelf.change(added, removed, number))
        self._keep(tenant, before)
        gauge(names.PASSAGES).set(sum(s.snapshot.size for s in self._shelves.values()))

    def _keep(self, tenant: str, snapshot: Snapshot) -> None:
        now = self.clock.monotonic()
        kept = self._kept[tenant]
        while kept and kept[0][0] <= now:
            kept.popleft()
        if snapshot.revision:
            kept.append((now + KEPT_SECONDS, snapshot))

    async def _loaded(self, tenant: str, wanted: Iterable[Change]) -> AsyncIterator[tuple[Record, Sequence[Chunk]]]:
        changes = list(wanted)
        for begin in range(0, len(changes), LOADED_AT_ONCE):
            records = await self.records(tenant, changes[begin : begin + LOADED_AT_ONCE])
            found = await self.store.chunks(tenant, [record.chunk_set for record in records])
            for record in records:
                if chunks := found.get(record.chunk_set):
                    yield record, chunks

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], A]) -> A:
        return await asyncio.get_running_loop().run_in_executor(threads, work)


@asynccontextmanager
async def open_library(
    store: DocumentStore, *, told: Told = nobody, clock: Clock | None = None
) -> AsyncIterator[Library]:
    """A library over an open store, its threads ended with the context."""
    library = Library(store, clock or SystemClock(), told=told)
    try:
        yield library
    finally:
        await asyncio.to_thread(library.close)
