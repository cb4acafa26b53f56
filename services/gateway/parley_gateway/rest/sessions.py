"""Sessions read by operators, agents and their own visitors; taken over, answered and handed back by agents."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse
from google.protobuf.timestamp_pb2 import Timestamp

from parley.contracts.v1 import (
    CloseRequested,
    CommandResult,
    GetSessionRequest,
    HandbackRequested,
    HistoryRequest,
    ListSessionsRequest,
    Sender,
    SenderKind,
    Session,
    SessionStatus,
    TakeoverRequested,
)
from parley.core import Conflict, NotFound, Unavailable, new_id
from parley.telemetry import current_trace
from parley_gateway.asking import answer_of
from parley_gateway.desk import Desk
from parley_gateway.inbox import Written
from parley_gateway.realtime.frames import STATUS_WORDS, event_value, rfc3339, sender_value
from parley_gateway.rest.envelope import Envelope, answer
from parley_gateway.rest.guard import Caller, any_caller, key_caller, may_read
from parley_gateway.rest.messages import pictures
from parley_gateway.rest.models import MOST, AgentIn, AgentMessageIn, EventPage, MessageOut, SessionOut, SessionPage

CALL_SECONDS = 5.0
READERS = ("agent", "operate")
IDEMPOTENCY_KEY = Header(max_length=128, description="the same when the call is sent again: it then has no effect")
_STATUS_BY_WORD = {word: status for status, word in STATUS_WORDS.items()}


def router(desk: Desk) -> APIRouter:
    """Reading needs scope `agent` or `operate`, or the session's own visitor token; acting needs `agent`."""
    routes = APIRouter(tags=["sessions"])

    @routes.get("/v1/sessions", response_model=Envelope[SessionPage])
    async def list_sessions(
        request: Request,
        status: Annotated[str, Query(pattern="^(open|waiting|assigned|closed)?$")] = "",
        cursor: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> JSONResponse:
        """Sessions by status; those that wait, longest first."""
        caller = await key_caller(desk, request, *READERS)
        question = ListSessionsRequest(tenant_id=caller.tenant, after=cursor, limit=limit)
        question.status = _STATUS_BY_WORD.get(status, SessionStatus.SESSION_STATUS_UNSPECIFIED)
        page = await answer_of(desk.sessions.ListSessions(question, timeout=CALL_SECONDS))
        return answer({"sessions": [session_value(s) for s in page.sessions], "next": page.next})

    @routes.get("/v1/sessions/{session_id}", response_model=Envelope[SessionOut])
    async def get_session(session_id: str, request: Request) -> JSONResponse:
        """One session: who answers, and why."""
        caller = await any_caller(desk, request, *READERS)
        may_read(caller, session_id)
        question = GetSessionRequest(tenant_id=caller.tenant, session_id=session_id)
        found = await answer_of(desk.sessions.GetSession(question, timeout=CALL_SECONDS))
        return answer(session_value(found.session))

    @routes.get("/v1/sessions/{session_id}/messages", response_model=Envelope[EventPage])
    async def session_messages(
        session_id: str,
        request: Request,
        after_seq: Annotated[int, Query(ge=0, le=MOST)] = 0,
        before_seq: Annotated[int, Query(ge=0, le=MOST)] = 0,
        limit: Annotated[int, Query(ge=1, le=300)] = 100,
    ) -> JSONResponse:
        """What was said, oldest first; with `before_seq`, the page that ends before it."""
        caller = await any_caller(desk, request, *READERS)
        may_read(caller, session_id)
        question = HistoryRequest(
            tenant_id=caller.tenant, session_id=session_id, after_seq=after_seq, before_seq=before_seq, limit=limit
        )
        page = await answer_of(desk.sessions.History(question, timeout=CALL_SECONDS))
        last = page.events[-1].seq if page.events else page.head_seq
        events = [event_value(session_id, page.epoch, event) for event in page.events]
        following = last if last < page.head_seq else None
        return answer({"epoch": page.epoch, "head_seq": page.head_seq, "events": events, "next": following})

    @routes.post(
        "/v1/sessions/{session_id}/messages",
        response_model=Envelope[MessageOut],
        status_code=201,
        responses={200: {"model": Envelope[MessageOut], "description": "A repeat: it has no effect"}},
    )
    async def write_message(
        session_id: str, body: AgentMessageIn, request: Request, idempotency_key: Annotated[str, IDEMPOTENCY_KEY] = ""
    ) -> JSONResponse:
        """An agent writes in a session that they hold."""
        caller = await key_caller(desk, request, "agent")
        desk.rates.check(f"agent:{caller.key_id}", desk.ctx.clock.monotonic(), "that was too fast; wait")
        external_id = body.client_msg_id or idempotency_key or new_id("c")
        desk.inbox.check(external_id, body.text, bool(body.media_id))
        session = await _held(desk, caller, session_id)
        written = Written(
            caller.tenant,
            session_id,
            session.channel,
            external_id,
            session.agent,
            body.text,
            await pictures(desk, caller.tenant, body.media_id),
            ownership=session.ownership,
        )
        context = current_trace()
        assert context is not None
        accepted = await desk.inbox.write_and_wait(written, context, CALL_SECONDS)
        if accepted is None:
            raise Unavailable("the message is taken but not stored yet; send it again with the same client_msg_id")
        if not accepted.seq:
            raise Conflict("the session is not yours any more; take it over again")
        place = {"message_id": accepted.message_id, "session_id": session_id, "seq": accepted.seq}
        status = 200 if accepted.duplicate else 201
        return answer({**place, "duplicate": accepted.duplicate, "trace_id": accepted.trace_id}, status=status)

    @routes.post("/v1/sessions/{session_id}/takeover", response_model=Envelope[SessionOut])
    async def take_over(
        session_id: str,
        request: Request,
        body: AgentIn | None = None,
        idempotency_key: Annotated[str, IDEMPOTENCY_KEY] = "",
    ) -> JSONResponse:
        """A person answers from now on; whatever the engine still says is refused."""
        return await _command(desk, request, session_id, TakeoverRequested(), body, idempotency_key)

    @routes.post("/v1/sessions/{session_id}/handback", response_model=Envelope[SessionOut])
    async def hand_back(
        session_id: str,
        request: Request,
        body: AgentIn | None = None,
        idempotency_key: Annotated[str, IDEMPOTENCY_KEY] = "",
    ) -> JSONResponse:
        """The engine answers again."""
        return await _command(desk, request, session_id, HandbackRequested(), body, idempotency_key)

    @routes.post("/v1/sessions/{session_id}/close", response_model=Envelope[SessionOut])
    async def close_session(
        session_id: str,
        request: Request,
        body: AgentIn | None = None,
        idempotency_key: Annotated[str, IDEMPOTENCY_KEY] = "",
    ) -> JSONResponse:
        """The conversation is over; a new message opens it again."""
        return await _command(desk, request, session_id, CloseRequested(), body, idempotency_key)

    return routes


async def _command(
    desk: Desk,
    request: Request,
    session_id: str,
    event: TakeoverRequested | HandbackRequested | CloseRequested,
    body: AgentIn | None,
    idempotency_key: str,
) -> JSONResponse:
    caller = await key_caller(desk, request, "agent")
    agent = Sender(kind=SenderKind.SENDER_KIND_AGENT, id=caller.key_id, name=(body.name if body else "") or caller.name)
    (event.by if isinstance(event, CloseRequested) else event.agent).CopyFrom(agent)
    event.request_id = f"{caller.key_id}.{idempotency_key}" if idempotency_key else new_id("req")
    event.gateway_id = desk.ctx.replica
    result = await desk.inbox.command(event, event.request_id, caller.tenant, session_id)
    _raise_for(result)
    question = GetSessionRequest(tenant_id=caller.tenant, session_id=session_id)
    found = await answer_of(desk.sessions.GetSession(question, timeout=CALL_SECONDS))
    return answer(session_value(found.session))


def _raise_for(result: CommandResult) -> None:
    if result.code == 404:
        raise NotFound(result.message or "there is no such session")
    if result.code >= 400:  # whatever else the owner refuses, it is because of the session's state
        raise Conflict(result.message or "the session is not in a state for this")


async def _held(desk: Desk, caller: Caller, session_id: str) -> Session:
    """The session, when this key holds it. Raises NotFound, Conflict."""
    question = GetSessionRequest(tenant_id=caller.tenant, session_id=session_id)
    session = (await answer_of(desk.sessions.GetSession(question, timeout=CALL_SECONDS))).session
    if session.status != SessionStatus.SESSION_STATUS_ASSIGNED or session.agent.id != caller.key_id:
        raise Conflict(f"the session is not yours; take it over first: POST /v1/sessions/{session_id}/takeover")
    return session


def session_value(session: Session) -> dict[str, Any]:
    """A session as JSON."""
    agent = sender_value(session.agent) if session.status == SessionStatus.SESSION_STATUS_ASSIGNED else None
    return {
        "session_id": session.session_id,
        "status": STATUS_WORDS.get(session.status, "open"),
        "channel": session.channel,
        "visitor": {"name": session.visitor.name, "locale": session.visitor.locale},
        "agent": agent,
        "epoch": session.epoch,
        "head_seq": session.head_seq,
        "ownership": session.ownership,
        "opened_at": _time(session, "opened_at"),
        "changed_at": _time(session, "changed_at"),
        "waiting_since": _time(session, "waiting_since"),
        "waiting_reason": session.waiting_reason,
        "running_turn": session.running_turn,
        "last_text": session.last_text,
        "why": list(session.why),
    }


def _time(session: Session, field: str) -> str | None:
    stamp: Timestamp = getattr(session, field)
    return rfc3339(stamp) if session.HasField(field) else None  # type: ignore[arg-type]  # field is one of three literals
