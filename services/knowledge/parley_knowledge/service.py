"""Wires knowledge: the store, the index that follows it, the folders that are watched, and its gRPC."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc.aio

from parley.contracts.v1 import DocumentIndexed, DocumentRemoved, EventMeta, add_KnowledgeServicer_to_server
from parley.core import Unavailable
from parley.service import Context, Service
from parley_knowledge.documents import Record
from parley_knowledge.freshness import Freshness, wait_first
from parley_knowledge.grpc import KnowledgeGrpc
from parley_knowledge.ingest import Reading
from parley_knowledge.library import Library, open_library
from parley_knowledge.releases import Change, Release
from parley_knowledge.settings import KnowledgeSettings
from parley_knowledge.store import open_documents
from parley_knowledge.vectors.opening import open_nearness
from parley_knowledge.watch import FolderWatch

RETRY_SECONDS: Final = 1.0
EMBED_SECONDS: Final = 1.0  # between looks for passages without a vector
TOLD_TOGETHER: Final = 64
TELL_SECONDS: Final = 2.0  # a document stands without its fact; nobody waits longer for a broker that is away


@dataclass(frozen=True)
class Deps:
    """What knowledge works with."""

    library: Library
    settings: KnowledgeSettings


@asynccontextmanager
async def open_deps(ctx: Context[Any]) -> AsyncIterator[Deps]:
    """Open the store; what it holds is loaded beside the start of everything else."""

    async def told(release: Release, records: Mapping[str, Record]) -> None:
        for begin in range(0, len(release.changes), TOLD_TOGETHER):
            some = release.changes[begin : begin + TOLD_TOGETHER]
            facts = [_fact(release, change, records) for change in some]
            await asyncio.gather(*(ctx.publish(fact, timeout=TELL_SECONDS) for fact in facts))

    settings = KnowledgeSettings.load()
    async with (
        open_documents(ctx.settings.database()) as store,
        open_library(store, told=told, clock=ctx.clock) as library,
        open_nearness(settings, ctx.settings.home / "knowledge" / "vectors") as library.nearness,
    ):
        yield Deps(library, settings)


service = Service("knowledge", deps=Deps, opens=open_deps)


@service.serves
def add_knowledge(ctx: Context[Deps], server: grpc.aio.Server) -> None:
    """Answer over gRPC; ready once all that is stored and all files of the folders can be searched."""
    library = ctx.deps.library

    async def loaded() -> str:
        return "" if library.ready.is_set() else "the index is being loaded"

    ctx.ready_when("index", loaded)
    add_KnowledgeServicer_to_server(KnowledgeGrpc(library), server)


@service.runs
async def embed(ctx: Context[Deps]) -> None:
    """Keep the vectors up to what is searched; where there are none yet, words alone answer."""
    while not ctx.draining.is_set():
        try:
            await ctx.deps.library.embed()
        except Unavailable as error:
            ctx.log.warning("vectors.wait", error=str(error))
        await wait_first(ctx.draining, clock=ctx.clock, seconds=EMBED_SECONDS)


@service.runs
async def follow(ctx: Context[Deps]) -> None:
    """Load, look into the folders, then keep both up to date until the service drains."""
    library, settings = ctx.deps.library, ctx.deps.settings
    with Reading() as reading:
        watches = [FolderWatch(library, folder, reading) for folder in settings.knowledge_folders]
        await _load(ctx, watches)
        freshness = Freshness(library, ctx.clock, poll_seconds=settings.knowledge_poll_seconds)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(freshness.keep(ctx.draining))
            for watch in watches:
                tasks.create_task(watch.follow(ctx.draining))


async def _load(ctx: Context[Deps], watches: list[FolderWatch]) -> None:
    library = ctx.deps.library
    while not ctx.draining.is_set():
        try:
            for watch in watches:
                await watch.look()
            await library.refresh()
        except Unavailable as error:
            ctx.log.warning("knowledge.waits", error=str(error))
            await ctx.clock.sleep(RETRY_SECONDS)
        else:
            library.ready.set()
            return


def _fact(release: Release, change: Change, records: Mapping[str, Record]) -> DocumentIndexed | DocumentRemoved:
    meta = EventMeta(tenant_id=release.tenant_id)
    record = records.get(change.chunk_set)
    if record is None:
        return DocumentRemoved(meta=meta, document_id=change.document_id)
    return DocumentIndexed(
        meta=meta,
        document_id=change.document_id,
        title=record.title,
        version=change.version,
        chunks=record.chunk_count,
    )
