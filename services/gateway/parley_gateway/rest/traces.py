"""Traces, read without any tracing server."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from parley.contracts.v1 import Span
from parley.core import NotFound
from parley.telemetry import SpanStore, names
from parley_gateway.asking import Forbidden
from parley_gateway.desk import Desk
from parley_gateway.rest.envelope import Envelope, answer
from parley_gateway.rest.guard import Caller, any_caller
from parley_gateway.rest.models import TraceOut


def router(desk: Desk, store: SpanStore) -> APIRouter:
    """Scope `operate`; in the demo a visitor may read the traces of its own session."""
    routes = APIRouter(tags=["traces"])

    @routes.get("/v1/traces/{trace_id}", response_model=Envelope[TraceOut])
    async def get_trace(trace_id: str, request: Request) -> JSONResponse:
        """The spans of one trace, by start time. Only sampled traces are kept, and the newest 2,000."""
        caller = await any_caller(desk, request, "operate")
        if caller.session and not desk.ctx.settings.demo:
            raise Forbidden("traces are for operators; use a key with scope operate")
        spans = store.get(trace_id)
        if not spans or not _belongs(spans, caller):
            raise NotFound("there is no such trace here: it was not sampled, or is too old")
        return answer({"trace_id": trace_id, "spans": [_value(span) for span in spans]})

    return routes


def _belongs(spans: list[Span], caller: Caller) -> bool:
    """Whether a caller may see a trace. Anybody can choose a trace id, so one stranger's span in it hides all of it."""
    tenants = {span.attributes[names.TENANT] for span in spans if names.TENANT in span.attributes}
    sessions = {span.attributes[names.SESSION] for span in spans if names.SESSION in span.attributes}
    if caller.session:
        return sessions == {caller.session} and tenants <= {caller.tenant}
    return tenants <= {caller.tenant}


def _value(span: Span) -> dict[str, object]:
    return {
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "name": span.name,
        "service": span.service,
        "kind": span.kind,
        "status": span.status,
        "start_unix_ns": span.start_unix_ns,
        "end_unix_ns": span.end_unix_ns,
        "attributes": dict(span.attributes),
    }
