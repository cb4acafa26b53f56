"""Questions to the engine outside of a turn."""

from typing import Any

import grpc.aio

from parley.contracts.v1 import (
    EngineServicer,
    Message,
    Sender,
    SenderKind,
    SuggestRequest,
    SuggestResponse,
    TurnRequested,
)
from parley.core import Clock, Invalid
from parley_ai_engine.pipeline.answering import Answerer
from parley_ai_engine.pipeline.streaming import ChunkWriter
from parley_ai_engine.pipeline.turn import Turn

SUGGEST_SECONDS = 20.0


class Suggestions(EngineServicer):
    """Drafts for agents: the pipeline of a turn, with nobody watching."""

    def __init__(self, answerer: Answerer, clock: Clock) -> None:
        self._answerer = answerer
        self._clock = clock

    async def Suggest(  # noqa: N802 - the name in the contract
        self, request: SuggestRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> SuggestResponse:
        """A draft for the newest visitor message. INVALID_ARGUMENT without one."""
        asked = [m for m in request.recent if m.sender.kind == SenderKind.SENDER_KIND_VISITOR]
        if not request.tenant_id or not asked:
            raise Invalid("a suggestion needs a tenant and at least one message of the visitor")
        event = TurnRequested(asked=asked[-1:], recent=request.recent[:-1], locale=request.locale)
        event.meta.tenant_id, event.meta.session_id = request.tenant_id, request.session_id
        event.deadline.FromMilliseconds(int((self._clock.now() + SUGGEST_SECONDS) * 1000))
        turn = Turn.from_event(event)
        reply = await self._answerer.answer(turn, lambda _: ChunkWriter(lambda _index, _delta: None, self._clock))
        draft: Message = reply.message(turn, "", "")
        draft.sender.CopyFrom(Sender(kind=SenderKind.SENDER_KIND_ENGINE, name="Parley"))
        return SuggestResponse(draft=draft, sure=reply.handoff is None)
