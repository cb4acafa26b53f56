"""The ASGI application: REST by FastAPI, the page's files, WebSockets beside them."""

from typing import cast

from fastapi import FastAPI

from parley.service.run import HEALTH
from parley.telemetry import SpanStore
from parley_gateway.body_limit import App, BodyLimit, Receive, Scope, Send
from parley_gateway.realtime.connection import Desk
from parley_gateway.realtime.websocket import WebSockets
from parley_gateway.rest import envelope, media, messages, sessions, traces, visitors
from parley_gateway.web.page import page_routes


def build_rest(desk: Desk, store: SpanStore) -> FastAPI:
    """The REST app with its page; `/v1/openapi.json` describes it."""
    app = FastAPI(
        title="Parley",
        version="1",
        summary="Open, self-hosted customer service in which AI engines and people answer together.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={code: {"model": envelope.ErrorEnvelope} for code in (400, 401, 403, 404, 405, 429, 503)},
    )
    envelope.install(app, desk.ctx.tracing)
    for router in (visitors.router(desk), messages.router(desk), sessions.router(desk), media.router(desk)):
        app.include_router(router)
    app.include_router(traces.router(desk, store))
    app.router.routes.extend(HEALTH.routes())
    app.router.routes.extend(page_routes())
    return app


def build_app(desk: Desk, sockets: WebSockets, store: SpanStore) -> App:
    """Everything behind the one public port."""
    rest = BodyLimit(cast(App, build_rest(desk, store)), upload_bytes=desk.settings.upload_bytes)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await (sockets if scope["path"] == "/v1/rt" else _no_socket)(scope, receive, send)
        else:
            await rest(scope, receive, send)

    return app


async def _no_socket(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"WebSockets live at /v1/rt"})
