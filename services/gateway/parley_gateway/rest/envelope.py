"""Every answer is `{"code", "data", "message", "trace_id"}` with the matching HTTP status; errors say what to do."""

import math
from typing import Any, Generic, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from parley.core import BusUnavailable, Conflict, Invalid, NotFound, ParleyError, Unavailable
from parley.telemetry import counter, current_trace_id, names
from parley_gateway.asking import Forbidden, RateLimited, TooLarge, Unauthorised

T = TypeVar("T")


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
    (RateLimited, 429),
    (Invalid, 400),
    (BusUnavailable, 503),
    (Unavailable, 503),
]
OUR_FAULT = "something went wrong here; the trace id names it in the logs"
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


def install(app: FastAPI) -> None:
    """Give the app our envelope for every error."""

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        return refusal(400, "; ".join(_problem(one) for one in error.errors()[:5]))

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return refusal(error.status_code, _WORDS.get(error.status_code, str(error.detail)), dict(error.headers or {}))

    @app.exception_handler(ParleyError)
    async def ours(_: Request, error: ParleyError) -> JSONResponse:
        return refusal_of(error)

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> JSONResponse:
        return refusal(500, OUR_FAULT)


def refusal_of(error: ParleyError) -> JSONResponse:
    """One of our errors as an answer."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    if isinstance(error, Unavailable | RateLimited):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    return refusal(status, str(error), headers)


def _problem(error: Any) -> str:
    """Where the input is wrong and how; never the input itself."""
    place = ".".join(str(part) for part in error["loc"] if part not in ("body", "query", "header", "path"))
    return f"{place or 'body'}: {error['msg']}"
