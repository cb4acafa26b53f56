"""What `/v1/openapi.json` says: every call, every answer, every error, and who may ask."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from parley_gateway.rest.envelope import ErrorEnvelope

VERSION = "1"
ABOUT = """Parley's HTTP calls: for channel adapters, agents, operators and the page.

Every answer is an envelope `{code, data, message, trace_id}`, `code` being the HTTP status. Errors say what to do.
`X-Trace-ID` (32 hex digits) or `traceparent` of a request is continued, and both come back in the answer's headers.
Visitors' pages speak Parley Realtime over a WebSocket at `/v1/rt`, which is described in the guides.
"""
SECURITY = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "`pk_…`, made by `parley keys create`"},
    "streamCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "parley_…",
        "description": 'the same token, set by `POST /v1/rt/hello` with `"cookie": true`; good for the stream only',
    },
    "visitorToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "of one session"},
}
KEY: list[dict[str, list[str]]] = [{"apiKey": []}]
KEY_OR_VISITOR: list[dict[str, list[str]]] = [{"apiKey": []}, {"visitorToken": []}]
VISITOR: list[dict[str, list[str]]] = [{"visitorToken": []}]
VISITOR_OR_COOKIE: list[dict[str, list[str]]] = [{"visitorToken": []}, {"streamCookie": []}]
ANYBODY: list[dict[str, list[str]]] = []

# Who may ask, and which errors there are besides those of every call (see `_errors`).
CALLS: dict[tuple[str, str], tuple[list[dict[str, list[str]]], tuple[int, ...]]] = {
    ("post", "/v1/visitor-tokens"): (ANYBODY, (403, 429)),
    ("post", "/v1/messages"): (KEY, (429,)),
    ("get", "/v1/channels/{channel}/outbox"): (KEY, ()),
    ("get", "/v1/sessions"): (KEY, ()),
    ("get", "/v1/sessions/{session_id}"): (KEY_OR_VISITOR, (404,)),
    ("get", "/v1/sessions/{session_id}/messages"): (KEY_OR_VISITOR, (404,)),
    ("post", "/v1/sessions/{session_id}/messages"): (KEY, (404, 409, 429)),
    ("post", "/v1/sessions/{session_id}/takeover"): (KEY, (404, 409)),
    ("post", "/v1/sessions/{session_id}/handback"): (KEY, (404, 409)),
    ("post", "/v1/sessions/{session_id}/close"): (KEY, (404, 409)),
    ("post", "/v1/rt/hello"): (ANYBODY, (401, 403, 429)),
    ("get", "/v1/rt/poll"): (VISITOR, (429,)),
    ("post", "/v1/rt/send"): (VISITOR, (429,)),
    ("get", "/v1/rt/stream"): (VISITOR_OR_COOKIE, (429,)),
    ("post", "/v1/media"): (KEY_OR_VISITOR, (415, 429)),
    ("get", "/v1/media/{tenant}/{media_id}"): (ANYBODY, (404,)),
    ("get", "/v1/traces/{trace_id}"): (KEY_OR_VISITOR, (404,)),
}
WORDS = {
    400: "The request is malformed; the message says where",
    401: "The credential is missing, wrong, expired or revoked",
    403: "The credential is good, but not for this",
    404: "There is no such thing for this tenant",
    405: "Another method; see the Allow header",
    408: "The body did not come in time",
    409: "Not in this state; the message says what to do first",
    413: "The body is too large",
    415: "Not a picture that we take; the message says why",
    429: "Too fast; see Retry-After",
    500: "Our fault; the trace id names it in the logs",
    503: "A part that is needed does not answer; see Retry-After",
}
PROBES = {
    "/livez": "Whether the process lives",
    "/readyz": "Whether it is ready; 503 with the reasons when it is not",
    "/metrics": "Prometheus metrics",
}
TRACE_HEADERS = {
    "X-Trace-ID": {"schema": {"type": "string"}, "description": "names this call in traces and logs"},
    "traceparent": {"schema": {"type": "string"}, "description": "the same, as W3C Trace Context"},
}
_TRACED = {name: {"$ref": f"#/components/headers/{name}"} for name in TRACE_HEADERS}


def describe(app: FastAPI) -> None:
    """Let the app answer with our description."""
    app.openapi = lambda: _made(app)  # type: ignore[method-assign]  # FastAPI's documented way


def _made(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        made = get_openapi(title="Parley", version=VERSION, description=ABOUT, routes=app.routes)
        schemas = made["components"]["schemas"]
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas["ErrorEnvelope"] = ErrorEnvelope.model_json_schema()
        made["components"]["securitySchemes"] = SECURITY
        made["components"]["headers"] = TRACE_HEADERS
        made["components"]["responses"] = {_name(status): _refused(status) for status in WORDS}
        made["info"]["license"] = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
        made["servers"] = [{"url": "/"}]
        for path, calls in made["paths"].items():
            for method, call in calls.items():
                _complete(method, path, call)
        made["paths"].update({path: _probe(path, words) for path, words in PROBES.items()})
        app.openapi_schema = made
    return app.openapi_schema


def _complete(method: str, path: str, call: dict[str, Any]) -> None:
    """Say who may make a call and how it may fail. Raises KeyError for a call that `CALLS` does not know."""
    security, own = CALLS[method, path]
    call["operationId"] = call["operationId"].partition("_v1_")[0]
    call["security"] = security
    call["responses"].pop("422", None)
    for answer in call["responses"].values():
        answer["headers"] = _TRACED
    for status in _errors(method, security, own):
        call["responses"][str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}


def _errors(method: str, security: list[Any], own: tuple[int, ...]) -> list[int]:
    always = {400, 405, 500, 503}
    secured = {401, 403} if security else set()
    bodied = {408, 413} if method == "post" else set()
    return sorted(always | secured | bodied | set(own))


def _refused(status: int) -> dict[str, Any]:
    example = {"code": status, "data": None, "message": WORDS[status], "trace_id": "0af7651916cd43dd8448eb211c80319c"}
    schema = {"$ref": "#/components/schemas/ErrorEnvelope"}
    content = {"application/json": {"schema": schema, "example": example}}
    return {"description": WORDS[status], "headers": _TRACED, "content": content}


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")


def _probe(path: str, words: str) -> dict[str, Any]:
    kind = "text/plain" if path == "/metrics" else "application/json"
    schema = {"type": "string"} if path == "/metrics" else {"type": "object"}
    answer = {"description": words, "content": {kind: {"schema": schema}}}
    answers = {"200": answer, "503": answer} if path == "/readyz" else {"200": answer}
    call = {"summary": words, "tags": ["operations"], "operationId": path.strip("/"), "security": ANYBODY}
    return {"get": {**call, "responses": answers}}
