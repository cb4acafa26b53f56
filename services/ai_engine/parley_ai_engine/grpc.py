"""Questions to the engine outside of a turn."""

from typing import Any

import grpc.aio

from parley.contracts.v1 import (
    CostsRequest,
    CostsResponse,
    EngineServicer,
    Message,
    Sender,
    SenderKind,
    SuggestRequest,
    SuggestResponse,
    TurnRequested,
)
from parley.core import Clock, Invalid
from parley_ai_engine.costs.report import report
from parley_ai_engine.costs.store import BY, CostQuery, CostStore
from parley_ai_engine.pipeline.answering import Answerer
from parley_ai_engine.pipeline.streaming import ChunkWriter
from parley_ai_engine.pipeline.turn import Turn

SUGGEST_SECONDS = 20.0
MOST_LINES = 1000
FOR_EVER = 1e12


class EngineQuestions(EngineServicer):
    """Drafts for agents, which are the pipeline of a turn with nobody watching, and what models have cost."""

    def __init__(self, answerer: Answerer, clock: Clock, costs: CostStore) -> None:
        self._answerer = answerer
        self._clock = clock
        self._costs = costs

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

    async def Costs(  # noqa: N802 - as above
        self, request: CostsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> CostsResponse:
        """Sums of a tenant's records. INVALID_ARGUMENT for sums by anything else than BY."""
        by = request.by or "day"
        if not request.tenant_id or by not in BY:
            raise Invalid(f"costs need a tenant, and are summed by one of {', '.join(BY)}")
        if request.limit > MOST_LINES:
            raise Invalid(f"at most {MOST_LINES} lines are answered at once; ask for a shorter time")
        only = {
            "conversation": request.session_id,
            "contact": request.contact_id,
            "channel": request.channel,
            "model": request.model,
        }
        query = CostQuery(
            request.tenant_id,
            by,
            since=request.since.seconds + request.since.nanos / 1e9,
            until=request.until.seconds + request.until.nanos / 1e9 or FOR_EVER,
            only=tuple((name, value) for name, value in only.items() if value),
        )
        return report(await self._costs.sums(query), newest_first=by == "day", limit=request.limit or 50)
