"""Inbound messages of channel adapters, and the replies that they fetch."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from parley.contracts.v1 import MediaRef, OutboxRequest, OutboxResponse, ResolveSessionRequest, Sender, SenderKind
from parley.telemetry import current_trace, current_trace_id
from parley_gateway.asking import answer_of
from parley_gateway.inbox import Written
from parley_gateway.realtime.connection import Desk
from parley_gateway.realtime.frames import event_value
from parley_gateway.rest.envelope import Envelope, answer, refusal
from parley_gateway.rest.guard import Caller, key_caller
from parley_gateway.rest.models import MessageIn, MessageOut, OutboxPage

POLL_EVERY = 0.5  # seconds between looks at the store while a long poll waits without news


def router(desk: Desk) -> APIRouter:
    """The calls of channel adapters. Scope `ingest`."""
    routes = APIRouter(tags=["channels"])

    @routes.post(
        "/v1/messages",
        response_model=Envelope[MessageOut],
        status_code=201,
        responses={202: {"description": "The broker has it; the commit takes longer"}},
    )
    async def receive_message(body: MessageIn, request: Request) -> JSONResponse:
        """Take one message of a channel. Sent again with the same id it has no effect and gets the same answer."""
        caller = await key_caller(desk, request, "ingest")
        wait = desk.rates.take(f"{caller.tenant}:{body.channel}:{body.sender.external_id}", time.monotonic())
        if wait:
            return refusal(429, "this visitor writes too fast; wait", {"retry-after": str(int(wait) + 1)})
        desk.inbox.check(body.external_message_id, body.text, bool(body.media_id))
        session = await _session_of(desk, caller, body)
        written = await _written(desk, caller, body, session)
        context = current_trace()
        assert context is not None
        accepted = await desk.inbox.write_and_wait(written, context, desk.settings.accept_seconds)
        if accepted is None:
            return _pending(session)
        place = {"message_id": accepted.message_id, "session_id": session, "seq": accepted.seq}
        status = 200 if accepted.duplicate else 201
        return answer({**place, "duplicate": accepted.duplicate, "trace_id": accepted.trace_id}, status=status)

    @routes.get("/v1/channels/{channel}/outbox", response_model=Envelope[OutboxPage])
    async def channel_outbox(
        channel: str,
        request: Request,
        cursor: Annotated[str, Query(max_length=200)] = "",
        timeout: Annotated[float, Query(ge=0, le=25)] = 20,
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> JSONResponse:
        """Replies that the channel has to send, after a cursor; waits up to `timeout` seconds for the first."""
        caller = await key_caller(desk, request, "ingest")
        question = OutboxRequest(tenant_id=caller.tenant, channel=channel, cursor=cursor, limit=limit)
        page = await _poll(desk, question, timeout)
        items = [
            {"session_id": i.session_id, "recipient": i.recipient, "event": event_value(i.session_id, 1, i.event)}
            for i in page.items
        ]
        return answer({"items": items, "cursor": page.next or cursor})

    return routes


async def _session_of(desk: Desk, caller: Caller, body: MessageIn) -> str:
    question = ResolveSessionRequest(tenant_id=caller.tenant, channel=body.channel, external_id=body.sender.external_id)
    return (await answer_of(desk.sessions.ResolveSession(question, timeout=desk.settings.accept_seconds))).session_id


async def _written(desk: Desk, caller: Caller, body: MessageIn, session: str) -> Written:
    media: tuple[MediaRef, ...] = ()
    if body.media_id:
        media = (await desk.media.reference(caller.tenant, "", body.media_id),)
    sender = Sender(
        kind=SenderKind.SENDER_KIND_VISITOR,
        id=body.sender.external_id,
        name=body.sender.name,
        locale=body.sender.locale,
    )
    return Written(caller.tenant, session, body.channel, body.external_message_id, sender, body.text, media)


def _pending(session: str) -> JSONResponse:
    place = {"message_id": None, "session_id": session, "seq": None, "duplicate": None, "trace_id": current_trace_id()}
    return answer(place, status=202, message="taken; its place is known when it is stored: send it again to hear it")


async def _poll(desk: Desk, question: OutboxRequest, timeout: float) -> OutboxResponse:
    """Look at the store now, then again whenever there may be news, until there is some or time is up."""
    until = time.monotonic() + timeout
    while True:
        page = await answer_of(desk.sessions.Outbox(question, timeout=5))
        left = until - time.monotonic()
        if page.items or left <= 0 or desk.ctx.draining.is_set():
            return page
        await asyncio.sleep(min(left, POLL_EVERY))
