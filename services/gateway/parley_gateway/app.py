"""The ASGI application: REST by FastAPI, the page's files, WebSockets beside them."""

from typing import cast

from fastapi import FastAPI

from parley.service.run import HEALTH
from parley.telemetry import SpanStore
from parley_gateway.desk import Desk
from parley_gateway.realtime import http
from parley_gateway.realtime.crowd import Crowd
from parley_gateway.realtime.socket_io import PATH as SOCKET_IO
from parley_gateway.realtime.socket_io import SocketIo
from parley_gateway.realtime.websocket import WebSockets
from parley_gateway.rest import envelope, media, messages, outbox, sessions, traces, visitors
from parley_gateway.rest.body_limit import App, BodyLimit, Receive, Scope, Send
from parley_gateway.rest.openapi import describe
from parley_gateway.rest.traced import Traced
from parley_gateway.web.page import page_routes

REALTIME = "/v1/rt"


def build_rest(desk: Desk, crowd: Crowd, store: SpanStore) -> FastAPI:
    """The REST app with its page; `/v1/openapi.json` describes it."""
    app = FastAPI(openapi_url="/v1/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False)
    envelope.install(app)
    for part in (visitors, messages, outbox, sessions, media):
        app.include_router(part.router(desk))
    app.include_router(http.router(desk, crowd))
    app.include_router(traces.router(desk, store))
    app.router.routes.extend(HEALTH.routes())
    app.router.routes.extend(page_routes())
    describe(app)
    return app


def build_http(desk: Desk, crowd: Crowd, store: SpanStore) -> App:
    """REST behind its limits."""
    limited = BodyLimit(cast(App, build_rest(desk, crowd, store)), upload_bytes=desk.settings.upload_bytes)
    return Traced(limited, desk.ctx.tracing)


def build_app(desk: Desk, crowd: Crowd, socket_io: SocketIo, store: SpanStore) -> App:
    """Everything behind the one public port."""
    rest, sockets = build_http(desk, crowd, store), WebSockets(desk, crowd)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(SOCKET_IO):
            await socket_io(scope, receive, send)
        elif scope["type"] == "websocket":
            await (sockets if scope["path"] == REALTIME else _no_socket)(scope, receive, send)
        else:
            await rest(scope, receive, send)

    return app


async def _no_socket(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"WebSockets live at /v1/rt"})
