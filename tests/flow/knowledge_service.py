"""The knowledge service as it runs: its real runner, gRPC on a unix socket, SQLite, and the machine's own time."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parley.bus.open import open_bus
from parley.contracts.v1 import KnowledgeStub, PutDocumentRequest, SearchRequest, SearchResponse
from parley.core import new_replica_id
from parley.core.settings import PlaceSettings
from parley.service import Context
from parley.service.grpc import connect
from parley.service.run import running
from parley_knowledge.service import Deps, service

if TYPE_CHECKING:
    from parley.contracts.v1.knowledge_pb2_grpc import KnowledgeAsyncStub

PATIENCE = 10.0
FRESH_SECONDS = 2.0  # the promise: a changed file is answered from within this time


@dataclass
class Knowledge:
    """A running service, as its callers reach it."""

    home: Path
    stub: "KnowledgeAsyncStub"
    ctx: Context[Deps]

    async def search(self, query: str, *, tenant: str = "demo", limit: int = 5) -> SearchResponse:
        return await self.stub.Search(SearchRequest(tenant_id=tenant, query=query, limit=limit))

    async def put(self, uri: str, text: str, *, tenant: str = "demo", title: str = "") -> str:
        """Put a document and wait until it can be searched; its id."""
        answer = await self.stub.PutDocument(
            PutDocumentRequest(tenant_id=tenant, uri=uri, title=title or uri, text=text)
        )
        await self.until(lambda: self._searchable(tenant, answer.document.document_id, answer.document.version))
        return answer.document.document_id

    async def finds(self, query: str, words: str) -> bool:
        """Whether the best passage for the query holds these words."""
        passages = (await self.search(query)).passages
        return bool(passages) and words in passages[0].passage

    async def until(self, fact: Callable[[], Awaitable[bool]], *, seconds: float = PATIENCE) -> None:
        """Wait for a fact, at most that long."""
        async with asyncio.timeout(seconds):
            while not await fact():  # noqa: ASYNC110 - the fact has no event
                await asyncio.sleep(0.01)

    async def _searchable(self, tenant: str, document_id: str, version: int) -> bool:
        languages = self.ctx.deps.library.snapshot(tenant).languages.values()
        found = (p.record for index in languages for p in index.passages)
        return any(r.document_id == document_id and r.version >= version for r in found)


@asynccontextmanager
async def a_knowledge_service(home: Path | None = None) -> AsyncIterator[Knowledge]:
    """Run the service until the context is left. Its home is short: a socket's path has a limit."""
    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        settings = PlaceSettings(home=home or Path(folder), bus_url=f"memory:{new_replica_id()}")
        async with AsyncExitStack() as stack:
            bus = await stack.enter_async_context(open_bus(settings.bus_url, service="knowledge", replica="one"))
            started = await stack.enter_async_context(running(service, settings, bus, replica="one"))
            stack.push_async_callback(started.drain, 2.0)
            channel = await stack.enter_async_context(connect(settings.grpc_target("knowledge")))
            yield Knowledge(settings.home, KnowledgeStub(channel), started.ctx)
