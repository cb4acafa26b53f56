"""Replies that a channel adapter fetches over HTTP."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse

from parley.contracts.v1 import OutboxItem, OutboxRequest, OutboxResponse
from parley_gateway.asking import answer_of
from parley_gateway.desk import Desk
from parley_gateway.realtime.frames import event_value
from parley_gateway.rest.envelope import Envelope, answer
from parley_gateway.rest.guard import key_caller
from parley_gateway.rest.models import CHANNEL, OutboxPage

POLL_EVERY = 0.5  # seconds between looks at the store while a long poll waits without news
CALL_SECONDS = 5.0


def router(desk: Desk) -> APIRouter:
    """Scope `ingest`."""
    routes = APIRouter(tags=["channels"])

    @routes.get("/v1/channels/{channel}/outbox", response_model=Envelope[OutboxPage])
    async def channel_outbox(
        channel: Annotated[str, Path(pattern=CHANNEL)],
        request: Request,
        cursor: Annotated[str, Query(max_length=200, description="of the last page; empty for the beginning")] = "",
        timeout: Annotated[float, Query(ge=0, le=25, description="seconds to wait for the first reply")] = 20,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> JSONResponse:
        """Replies that the channel has to send, after a cursor. Ask with the new cursor once they are sent."""
        caller = await key_caller(desk, request, "ingest")
        question = OutboxRequest(tenant_id=caller.tenant, channel=channel, cursor=cursor, limit=limit)
        page = await _poll(desk, question, timeout)
        return answer({"items": [_item(item) for item in page.items], "cursor": page.next or cursor})

    return routes


def _item(item: OutboxItem) -> dict[str, Any]:
    event = event_value(item.session_id, 0, item.event)
    del event["epoch"]  # a position in a stream means nothing here: the cursor is the adapter's position
    return {"session_id": item.session_id, "recipient": item.recipient, "event": event}


async def _poll(desk: Desk, question: OutboxRequest, timeout: float) -> OutboxResponse:
    """Look at the store now, then again and again, until there is something or time is up."""
    until = time.monotonic() + timeout
    while True:
        page = await answer_of(desk.sessions.Outbox(question, timeout=CALL_SECONDS))
        left = until - time.monotonic()
        if page.items or left <= 0 or desk.ctx.draining.is_set():
            return page
        await desk.ctx.clock.sleep(min(left, POLL_EVERY))
