"""Inbound messages of channel adapters."""

from collections import OrderedDict
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from google.protobuf.timestamp_pb2 import Timestamp

from parley.contracts.v1 import MediaRef, ResolveSessionRequest, Sender, SenderKind
from parley.core import Invalid, NotFound
from parley.telemetry import current_trace, current_trace_id
from parley_gateway.asking import answer_of
from parley_gateway.desk import Desk
from parley_gateway.inbox import Refused, Written
from parley_gateway.rest.envelope import Envelope, answer
from parley_gateway.rest.guard import Caller, key_caller
from parley_gateway.rest.models import MessageIn, MessageOut

SESSIONS_KEPT = 50_000


def router(desk: Desk) -> APIRouter:
    """The calls of channel adapters. Scope `ingest`."""
    routes = APIRouter(tags=["channels"])
    resolver = _Sessions(desk)

    @routes.post(
        "/v1/messages",
        response_model=Envelope[MessageOut],
        status_code=201,
        responses={
            200: {"model": Envelope[MessageOut], "description": "A repeat: it has no effect and the same answer"},
            202: {"model": Envelope[MessageOut], "description": "The broker has it; the commit takes longer"},
        },
    )
    async def receive_message(body: MessageIn, request: Request) -> JSONResponse:
        """Take one message of a channel. Sent again with the same id it has no effect and gets the same answer."""
        caller = await key_caller(desk, request, "ingest")
        who = f"{caller.tenant}:{body.channel}:{body.sender.external_id}"
        desk.rates.check(who, desk.ctx.clock.monotonic(), "this visitor writes too fast; wait")
        desk.inbox.check(body.external_message_id, body.text, bool(body.media_id))
        session = await resolver.find(caller.tenant, body.channel, body.sender.external_id)
        written = await _written(desk, caller, body, session)
        context = current_trace()
        assert context is not None
        accepted = await desk.inbox.write_and_wait(written, context, desk.settings.accept_seconds)
        if accepted is None:
            return _pending(session)
        place = {"message_id": accepted.message_id, "session_id": session, "seq": accepted.seq}
        status = 200 if accepted.duplicate else 201
        return answer({**place, "duplicate": accepted.duplicate, "trace_id": accepted.trace_id}, status=status)

    return routes


class _Sessions:
    """Which session a channel's visitor has. It never changes, so it is asked once; known visitors go on without."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: OrderedDict[tuple[str, str, str], str] = OrderedDict()

    async def find(self, tenant: str, channel: str, external_id: str) -> str:
        """Raises Unavailable."""
        key = (tenant, channel, external_id)
        if key not in self._known:
            question = ResolveSessionRequest(tenant_id=tenant, channel=channel, external_id=external_id)
            call = self._desk.sessions.ResolveSession(question, timeout=self._desk.settings.accept_seconds)
            self._known[key] = (await answer_of(call)).session_id
            if len(self._known) > SESSIONS_KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]


async def pictures(desk: Desk, tenant: str, media_id: str) -> tuple[MediaRef, ...]:
    """The picture that a message names, if any. Raises Refused when this tenant has none by that id, Unavailable."""
    if not media_id:
        return ()
    try:
        return (await desk.media.reference(tenant, "", media_id),)
    except (NotFound, Invalid):
        raise Refused("no_picture", "media_id names no picture of this tenant; upload it first") from None


async def _written(desk: Desk, caller: Caller, body: MessageIn, session: str) -> Written:
    media = await pictures(desk, caller.tenant, body.media_id)
    sender = Sender(
        kind=SenderKind.SENDER_KIND_VISITOR,
        id=body.sender.external_id,
        name=body.sender.name,
        locale=body.sender.locale,
    )
    return Written(
        caller.tenant,
        session,
        body.channel,
        body.external_message_id,
        sender,
        body.text,
        media,
        sent_at=_stamp(body.sent_at),
    )


def _stamp(at: datetime | None) -> Timestamp | None:
    if at is None:
        return None
    stamp = Timestamp()
    try:
        stamp.FromDatetime(at)
    except (ValueError, OverflowError):
        raise Invalid("sent_at is outside the years 1 to 9999") from None
    return stamp


def _pending(session: str) -> JSONResponse:
    place = {"message_id": None, "session_id": session, "seq": None, "duplicate": None, "trace_id": current_trace_id()}
    return answer(place, status=202, message="taken; its place is known when it is stored: send it again to hear it")
