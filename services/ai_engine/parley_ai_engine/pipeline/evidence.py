"""What the knowledge has to say, and how sure it is."""

from dataclasses import dataclass
from typing import Protocol

from parley.contracts.v1 import KnowledgeAsyncStub, SearchRequest, Source


@dataclass(frozen=True, slots=True)
class Evidence:
    """Passages, best first; `answerable` is the calibrated probability that the first one answers the question."""

    passages: tuple[Source, ...] = ()
    quote: str = ""
    answerable: float = 0.0
    version: int = 0  # of the knowledge that was searched


class Knowledge(Protocol):
    """Where evidence comes from. Called once per turn; may take as long as `seconds`."""

    async def search(self, tenant: str, query: str, language: str, *, seconds: float) -> Evidence:
        """Raises grpc.aio.AioRpcError when there is no answer in time."""
        ...


class KnowledgeService:
    """The knowledge service over gRPC."""

    def __init__(self, stub: KnowledgeAsyncStub) -> None:
        self._stub = stub

    async def search(self, tenant: str, query: str, language: str, *, seconds: float) -> Evidence:
        """Ask for five passages."""
        request = SearchRequest(tenant_id=tenant, query=query, limit=5, language=language)
        found = await self._stub.Search(request, timeout=seconds)
        return Evidence(tuple(found.passages), found.quote, found.answerable, found.knowledge_version)
