"""The knowledge of all tenants: the store is the truth, the snapshots are what searches see, and follow it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from parley.core import Conflict, Invalid, Unavailable, new_id
from parley.telemetry import Log, gauge, names
from parley_knowledge.documents import Chunk, Draft, Record, content_hash_of, document_id_of
from parley_knowledge.index import Shelf, Snapshot
from parley_knowledge.ingest import chunks_of
from parley_knowledge.search import Findings, search
from parley_knowledge.store import DocumentStore
from parley_knowledge.text import language_from

ATTEMPTS: Final = 5  # to publish a document that somebody else changes at the same time
LOADED_AT_ONCE: Final = 500  # documents whose passages are read in one go
SEARCHERS: Final = 2
READY_SECONDS: Final = 5.0  # that a search waits for the first load

Told = Callable[[Record], Awaitable[None]]


async def _nobody(_: Record) -> None:
    """The facts of a library that nobody listens to."""


class Library:
    """Puts, removes and searches documents. Open it with `open_library`."""

    def __init__(self, store: DocumentStore, *, told: Told = _nobody) -> None:
        self.store = store
        self.changed = asyncio.Event()  # something was written here: refresh now, do not wait for the next look
        self.ready = asyncio.Event()  # all that was stored at the start can be searched
        self._told = told
        self._shelves: dict[str, Shelf] = {}
        self._revisions: dict[str, int] = {}
        self._refreshing = asyncio.Lock()
        self._indexer = ThreadPoolExecutor(1, thread_name_prefix="knowledge-index")
        self._cutter = ThreadPoolExecutor(1, thread_name_prefix="knowledge-cut")
        self._searchers = ThreadPoolExecutor(SEARCHERS, thread_name_prefix="knowledge-search")
        self._log = Log("knowledge")

    def close(self) -> None:
        """End the threads; running work is finished."""
        self._cutter.shutdown()
        self._indexer.shutdown()
        self._searchers.shutdown()

    def snapshot(self, tenant: str) -> Snapshot:
        """What a search of this tenant sees now."""
        shelf = self._shelves.get(tenant)
        return shelf.snapshot if shelf else Snapshot()

    async def search(self, tenant: str, query: str, *, limit: int, language: str = "") -> Findings:
        """Search in a thread, beside any rebuilding. Raises Unavailable when the first load takes too long."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self.ready.wait()
        except TimeoutError:
            raise Unavailable("the knowledge is still being loaded; ask again in a few seconds") from None
        loop, snapshot = asyncio.get_running_loop(), self.snapshot(tenant)
        return await loop.run_in_executor(
            self._searchers, lambda: search(snapshot, query, limit=limit, language=language)
        )

    async def put(self, tenant: str, draft: Draft, *, source: str = "") -> tuple[Record, bool]:
        """Add or replace a document; the same content twice changes nothing. Raises Invalid, Conflict, Unavailable."""
        chunks = await asyncio.get_running_loop().run_in_executor(self._cutter, chunks_of, draft.text, draft.title)
        if not chunks:
            raise Invalid(f"{draft.uri} holds no text; put at least one sentence into it")
        for attempt in range(ATTEMPTS):
            stands = await self.store.find(tenant, document_id_of(draft.uri))
            record = _next_version(tenant, draft, source, stands, len(chunks))
            if stands and not stands.removed and _same(stands, record):
                return stands, False
            if await self._published(record, chunks, stands, last=attempt == ATTEMPTS - 1):
                break
        return record, True

    async def remove(self, tenant: str, document_id: str) -> bool:
        """Remove a document; False when there is none. Raises Conflict, Unavailable."""
        for attempt in range(ATTEMPTS):
            stands = await self.store.find(tenant, document_id)
            if stands is None or stands.removed:
                return False
            gone = replace(
                stands,
                version=stands.version + 1,
                removed=True,
                chunk_set=new_id("set"),
                chunk_count=0,
                content_hash="",
            )
            if await self._published(gone, [], stands, last=attempt == ATTEMPTS - 1):
                break
        return True

    async def refresh(self, *, all_tenants: bool = False) -> None:
        """Bring the snapshots up to what is stored; only tenants whose revision has moved, unless all are wanted."""
        async with self._refreshing:
            for tenant, revision in (await self.store.revisions()).items():
                if all_tenants or self._revisions.get(tenant) != revision:
                    await self._refresh(tenant, revision)

    async def _refresh(self, tenant: str, revision: int) -> None:
        records = {record.document_id: record for record in await self.store.all(tenant)}
        shelf = self._shelves.setdefault(tenant, Shelf())
        shelved = shelf.chunk_sets()
        wanted = [record for key, record in records.items() if shelved.get(key) != record.chunk_set]
        removed = [key for key in shelved if key not in records]
        added = [pair async for pair in self._loaded(tenant, wanted)]
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._indexer, lambda: shelf.change(added, removed, revision))
        if len(added) == len(wanted):  # what was replaced while it was read comes with the next refresh
            self._revisions[tenant] = revision
        gauge(names.PASSAGES).set(sum(s.snapshot.size for s in self._shelves.values()))

    async def _loaded(self, tenant: str, wanted: Sequence[Record]) -> AsyncIterator[tuple[Record, list[Chunk]]]:
        for begin in range(0, len(wanted), LOADED_AT_ONCE):
            some = wanted[begin : begin + LOADED_AT_ONCE]
            found = await self.store.chunks(tenant, [record.chunk_set for record in some])
            for record in some:
                if chunks := found.get(record.chunk_set):
                    yield record, chunks

    async def _published(self, record: Record, chunks: Sequence[Chunk], replaces: Record | None, *, last: bool) -> bool:
        try:
            await self.store.publish(record, chunks, replaces=replaces)
        except Conflict:
            if last:
                raise
            return False
        self.changed.set()
        await self._tell(record)
        return True

    async def _tell(self, record: Record) -> None:
        try:
            await self._told(record)
        except Unavailable as error:  # the document stands; who missed the fact can list the documents
            self._log.warning("document.untold", document=record.document_id, error=str(error))


def _next_version(tenant: str, draft: Draft, source: str, stands: Record | None, chunk_count: int) -> Record:
    return Record(
        tenant_id=tenant,
        document_id=document_id_of(draft.uri),
        uri=draft.uri,
        title=draft.title,
        language=language_from(draft.language, draft.text),
        version=stands.version + 1 if stands else 1,
        content_hash=content_hash_of(draft),
        chunk_set=new_id("set"),
        chunk_count=chunk_count,
        source=source or (stands.source if stands and not stands.removed else ""),
    )


def _same(stands: Record, record: Record) -> bool:
    # A folder that takes a document over is a change too, made once: from then on the folder removes it as well.
    return (stands.content_hash, stands.source) == (record.content_hash, record.source)


@asynccontextmanager
async def open_library(store: DocumentStore, *, told: Told = _nobody) -> AsyncIterator[Library]:
    """A library over an open store, its threads ended with the context."""
    library = Library(store, told=told)
    try:
        yield library
    finally:
        await asyncio.to_thread(library.close)
