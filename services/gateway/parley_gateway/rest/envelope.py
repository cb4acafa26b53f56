"""Every answer is `{"code", "data", "message", "trace_id"}` with the matching HTTP status; errors say what to do."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from parley.core import BusUnavailable, Conflict, Invalid, NotFound, ParleyError, Unavailable
from parley.telemetry import Log, Tracing, counter, current_trace_id, names, span
from parley_gateway.asking import Forbidden, TooLarge, Unauthorised

T = TypeVar("T")
log = Log("gateway.rest")


class Envelope(BaseModel, Generic[T]):
    """What every call answers."""

    code: int = Field(description="the HTTP status, again")
    data: T
    message: str = Field(description="`ok`, or what went wrong and what to do")
    trace_id: str = Field(description="names this call in traces and logs")


class ErrorEnvelope(BaseModel):
    """What a refused call answers."""

    code: int
    data: None = None
    message: str
    trace_id: str


_STATUS: list[tuple[type[ParleyError], int]] = [
    (Unauthorised, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooLarge, 413),
    (Invalid, 400),
    (BusUnavailable, 503),
    (Unavailable, 503),
]
_WORDS = {
    404: "there is nothing at this address; see /v1/openapi.json",
    405: "this address does not take this method; see the Allow header",
}


def answer(data: Any, *, status: int = 200, message: str = "ok") -> JSONResponse:
    """A good answer."""
    body = {"code": status, "data": data, "message": message, "trace_id": current_trace_id()}
    return JSONResponse(body, status)


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """A refused call."""
    counter(names.REFUSED, str(status)).inc()
    body = {"code": status, "data": None, "message": message, "trace_id": current_trace_id()}
    return JSONResponse(body, status, headers)


def install(app: FastAPI, tracing: Tracing) -> None:
    """Give the app our envelope for every error, and a trace for every call."""

    @app.middleware("http")
    async def traced(request: Request, call: Callable[[Request], Awaitable[Any]]) -> Any:
        context = tracing.begin(request.headers.get("traceparent", ""), request.headers.get("x-trace-id", ""))
        with span(f"{names.HTTP_REQUEST} {request.method}", kind="server", context=context) as recording:
            response = await _guarded(request, call)
            recording.set(names.HTTP_STATUS, response.status_code)
            route = request.scope.get("route")
            recording.set(names.HTTP_ROUTE, getattr(route, "path", request.url.path.split("/", 2)[1][:20]))
        response.headers["x-trace-id"] = context.trace_id
        return response

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = (f"{'.'.join(str(p) for p in e['loc'] if p != 'body')}: {e['msg']}" for e in error.errors()[:5])
        return refusal(400, "; ".join(problems))

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return refusal(error.status_code, _WORDS.get(error.status_code, str(error.detail)), dict(error.headers or {}))

    @app.exception_handler(ParleyError)
    async def ours(_: Request, error: ParleyError) -> JSONResponse:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
        headers = {"retry-after": str(max(1, round(error.retry_after)))} if isinstance(error, Unavailable) else {}
        if status == 401:
            headers["www-authenticate"] = "Bearer"
        return refusal(status, str(error), headers)


async def _guarded(request: Request, call: Callable[[Request], Awaitable[Any]]) -> Any:
    try:
        return await call(request)
    except Exception as error:  # noqa: BLE001 - the last door: nothing of ours may show a stack to the outside
        log.error("request.failed", exc=error, path=request.url.path)
        return refusal(500, "something went wrong here; the trace id names it in the logs")
