"""How the CLI reaches knowledge: over gRPC, or straight into the database when no service runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import grpc
import grpc.aio

from parley.contracts.v1 import KnowledgeStub, SearchRequest
from parley.core import Invalid, ParleyError, Unavailable
from parley.core.settings import PlaceSettings
from parley.service.grpc import connect
from parley_knowledge.grpc import KnowledgeGrpc
from parley_knowledge.library import open_library
from parley_knowledge.store import open_documents

CONNECT_SECONDS: Final = 2.0
CALL_SECONDS: Final = 60.0
A = TypeVar("A")


class Knowledge:
    """The calls of the contract, over gRPC or on the servicer itself.

    Raises Invalid for what is refused, Unavailable when nobody answers.
    """

    def __init__(self, service: Any, call: Callable[[Any, Any], Awaitable[Any]]) -> None:
        self._service = service
        self._call = call

    async def ask(self, kind: type[A], request: Any) -> A:
        """Make the call that is named as its request, and get an answer of that kind."""
        method = getattr(self._service, type(request).__name__.removesuffix("Request"))
        answer = await self._call(method, request)
        assert isinstance(answer, kind)
        return answer


@asynccontextmanager
async def reach(settings: PlaceSettings, *, offline: bool) -> AsyncIterator[Knowledge]:
    """Knowledge as the settings say. Raises Unavailable with what to do when there is none."""
    opened = _offline(settings) if offline else _online(settings)
    async with opened as knowledge:
        yield knowledge


@asynccontextmanager
async def _online(settings: PlaceSettings) -> AsyncIterator[Knowledge]:
    target = settings.grpc_target("knowledge")
    async with connect(target) as channel:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await channel.channel_ready()
        except TimeoutError:
            raise Unavailable(
                f"no knowledge service answers at {target}. Start one with `parley run knowledge` (or everything with "
                "`make run`), name another with PARLEY_KNOWLEDGE_URL, or write to the database itself with --offline"
            ) from None
        yield Knowledge(KnowledgeStub(channel), _called)


@asynccontextmanager
async def _offline(settings: PlaceSettings) -> AsyncIterator[Knowledge]:
    async with open_documents(settings.database()) as store, open_library(store) as library:

        async def call(method: Any, request: Any) -> Any:
            if isinstance(request, SearchRequest):
                await library.refresh()
                library.ready.set()
            return await method(request, None)

        yield Knowledge(KnowledgeGrpc(library), call)


async def _called(method: Any, request: Any) -> Any:
    try:
        return await method(request, timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        raise _translated(error) from None


def _translated(error: grpc.aio.AioRpcError) -> ParleyError:
    text = error.details() or error.code().name
    if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        return Unavailable(f"the knowledge service went away ({text}); run the same command again to go on")
    return Invalid(text)
