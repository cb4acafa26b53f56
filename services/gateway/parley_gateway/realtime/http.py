"""Parley Realtime over plain HTTP: hello, poll, send, and the event stream."""

import asyncio
import hashlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from parley.contracts.v1 import ClientFrame, Hello
from parley.core import Invalid, Unavailable
from parley.telemetry import current_trace_id
from parley_gateway.access import bearer
from parley_gateway.asking import Forbidden, RateLimited, Unauthorised
from parley_gateway.desk import Desk
from parley_gateway.door import Knock, knock_of
from parley_gateway.limits import RateLimit
from parley_gateway.realtime.connection import FRAMES_PER_MESSAGE
from parley_gateway.realtime.crowd import Crowd
from parley_gateway.realtime.cursor import Cursor, read_cursor, read_position, write_cursor
from parley_gateway.realtime.event_stream import EventStream
from parley_gateway.realtime.frames import read_json
from parley_gateway.realtime.lingering import Lingering
from parley_gateway.realtime.polling import Poll, PollAnswer
from parley_gateway.realtime.posting import Posting
from parley_gateway.realtime.streams import SessionKey
from parley_gateway.realtime.websocket import refusal_at_door
from parley_gateway.rest.envelope import Envelope, answer
from parley_gateway.rest.models import AckOut, HelloIn, PollOut, SendIn

BYE_SECONDS = 1.0
STREAM = {"text/event-stream": {"schema": {"type": "string"}}}


@dataclass(frozen=True)
class _Doors:
    """What the calls share."""

    desk: Desk
    crowd: Crowd
    lingering: Lingering
    posting: Posting
    polls: RateLimit

    async def knock(self, request: Request) -> Knock:
        """Who asks. Raises Forbidden, RateLimited, Unavailable."""
        knock = knock_of(dict(request.scope), self.desk.settings.trusted_proxies)
        refused = await refusal_at_door(self.desk, self.crowd, knock)
        if refused is not None:
            status, reason = refused
            kinds: dict[int, Exception] = {403: Forbidden(reason), 429: RateLimited(reason, retry_after=BYE_SECONDS)}
            raise kinds.get(status, Unavailable(reason, retry_after=BYE_SECONDS))
        return knock

    async def key(self, credential: str) -> SessionKey:
        """Whose token it is. Raises Unauthorised, RateLimited."""
        token = await self.desk.access.visitor(credential)
        key = token.tenant, token.session
        self.polls.check(f"{key}", self.desk.ctx.clock.monotonic(), "too many requests of this conversation; wait")
        return key


def router(desk: Desk, crowd: Crowd) -> APIRouter:
    """Four calls that any replica can answer."""
    routes = APIRouter(tags=["realtime"])
    doors = _doors(desk, crowd) if desk is not None else None

    @routes.post("/v1/rt/hello", response_model=Envelope[PollOut], openapi_extra=_body(HelloIn))
    async def say_hello(request: Request) -> Response:
        """Begin or resume without a WebSocket: the welcome, what was missed, and the cursor for the first poll."""
        assert doors is not None
        knock, (given, frame) = await doors.knock(request), await _frame(request)
        if not frame.HasField("hello"):
            raise Invalid('the body must be a hello, like {"hello": {"site_key": "demo"}}')
        hello = frame.hello
        told = await Poll(desk).answer(hello, knock, Cursor(), -1, crowd, doors.lingering)
        answered = _told(told)
        if given.get("cookie") is True:
            await _give_cookie(desk, answered, told, hello, knock)
        return answered

    @routes.get("/v1/rt/poll", response_model=Envelope[PollOut])
    async def poll(
        request: Request,
        cursor: Annotated[str, Query(max_length=2000, description="of the last answer")],
        timeout: Annotated[float, Query(ge=0, le=25, description="seconds to wait for news")] = 25,
    ) -> Response:
        """What came after the cursor; an empty answer after `timeout`. Ask again with the new cursor."""
        assert doors is not None
        credential = bearer(request.headers.get("authorization", ""))
        knock, key = await doors.knock(request), await doors.key(credential)
        known = read_cursor(cursor, key)
        hello = Hello(token=credential, streams=[known.position(key[1])])
        asked = Poll(desk).answer(hello, knock, known, timeout, crowd, doors.lingering)
        return _told(await _unless_gone(request, asked))

    @routes.post("/v1/rt/send", response_model=Envelope[AckOut], openapi_extra=_body(SendIn))
    async def send(request: Request) -> Response:
        """One frame of a client that has no connection: a message is answered by its ack once it is stored."""
        assert doors is not None
        key = await doors.key(bearer(request.headers.get("authorization", "")))
        await doors.knock(request)
        given, frame = await _frame(request)
        if frame.HasField("send"):
            frame.send.client_msg_id = frame.send.client_msg_id or request.headers.get("idempotency-key", "")
        ack = await doors.posting.post(key, frame, name=_text(given, "name"), locale=_text(given, "locale"))
        if frame.HasField("send"):
            doors.lingering.wait_for(key)
        return answer({"ack": ack} if ack else {}, status=201 if ack and not ack["duplicate"] else 200)

    @routes.get(
        "/v1/rt/stream",
        response_class=Response,
        responses={200: {"description": "Frames, each the data of one event", "content": STREAM}},
    )
    async def stream(
        request: Request,
        session: Annotated[str, Query(max_length=200, description="whose cookie counts; not needed with a token")] = "",
        position: Annotated[str, Query(max_length=40, description="epoch:seq; Last-Event-ID counts before it")] = "",
    ) -> Response:
        """Frames as server-sent events. The id of an event is its position, which EventSource comes back with."""
        assert doors is not None
        credential = _credential(request, session)
        knock, key = await doors.knock(request), await doors.key(credential)
        place = read_position(request.headers.get("last-event-id", "") or position)
        opened = EventStream(desk, crowd, dict(request.scope))
        await opened.greet(Hello(token=credential, streams=[place.position(key[1])]), knock)
        return _Streaming(opened)

    return routes


class _Streaming(Response):
    """An answer that writes itself."""

    def __init__(self, opened: EventStream) -> None:
        super().__init__()
        self._opened = opened

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._opened(scope, receive, send)


def _doors(desk: Desk, crowd: Crowd) -> _Doors:
    settings = desk.settings
    rate, burst = settings.messages_per_second, settings.messages_burst
    polls = RateLimit(rate * FRAMES_PER_MESSAGE, burst * FRAMES_PER_MESSAGE)
    return _Doors(desk, crowd, Lingering(desk), Posting(desk), polls)


def _told(told: PollAnswer) -> Response:
    data = {"frames": told.frames, "cursor": write_cursor(told.cursor, told.key), "retry_ms": told.retry_ms}
    body = {"code": 200, "data": data, "message": "ok", "trace_id": current_trace_id()}
    return Response(orjson.dumps(body), media_type="application/json", headers={"cache-control": "no-store"})


async def _frame(request: Request) -> tuple[dict[str, Any], ClientFrame]:
    """The body as it came, and the frame in it. Raises Invalid."""
    raw = await request.body()
    frame = read_json(raw)
    given = orjson.loads(raw)
    return given, frame


async def _unless_gone(request: Request, asked: Coroutine[Any, Any, PollAnswer]) -> PollAnswer:
    """The answer, given up when its client has gone: it may be back with another request already."""
    answering = asyncio.create_task(asked)

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        answering.cancel()

    watching = asyncio.create_task(gone())
    try:
        return await answering
    except asyncio.CancelledError:
        raise Unavailable("the client has gone") from None
    finally:
        watching.cancel()
        answering.cancel()


def _credential(request: Request, session: str) -> str:
    """The token: a program's in its header, a page's in its cookie, since EventSource has no headers.

    Raises Unauthorised.
    """
    if "authorization" in request.headers:
        return bearer(request.headers["authorization"])
    token = request.cookies.get(_cookie(session), "")
    if not token:
        raise Unauthorised('say hello with "cookie": true first, or send the header `Authorization: Bearer <token>`')
    return token


async def _give_cookie(desk: Desk, answered: Response, told: PollAnswer, hello: Hello, knock: Knock) -> None:
    welcome = orjson.loads(orjson.dumps(told.frames[0]))["welcome"]
    token = welcome.get("token") or hello.token
    until = (await desk.access.visitor(token)).expires_at
    answered.set_cookie(
        _cookie(told.key[1]),
        token,
        max_age=max(0, int(until - desk.ctx.clock.now())),
        path="/v1/rt/stream",
        secure=knock.secure,
        httponly=True,
        samesite="strict",
    )


def _cookie(session: str) -> str:
    """One name per session, so that two visitors of one browser do not meet."""
    return f"parley_{hashlib.sha256(session.encode()).hexdigest()[:16]}"


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name, "")
    return value if isinstance(value, str) else ""


def _body(model: Any) -> dict[str, Any]:
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
