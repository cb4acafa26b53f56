"""The bounded store of finished spans that every process keeps, so that a trace can be read without any server."""

from collections import OrderedDict
from collections.abc import Callable, Iterable

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from parley.contracts.v1 import Span

TRACES_KEPT = 2000
SPANS_PER_TRACE = 500


class SpanStore:
    """Finished spans by trace, the oldest traces dropped first."""

    def __init__(self, traces: int = TRACES_KEPT, spans_per_trace: int = SPANS_PER_TRACE) -> None:
        self._traces: OrderedDict[str, dict[str, Span]] = OrderedDict()
        self._limit = traces
        self._per_trace = spans_per_trace

    def add(self, spans: Iterable[Span]) -> None:
        """Keep these; a span that is known already is replaced."""
        for span in spans:
            known = self._traces.setdefault(span.trace_id, {})
            if len(known) < self._per_trace or span.span_id in known:
                known[span.span_id] = span
        while len(self._traces) > self._limit:
            self._traces.popitem(last=False)

    def get(self, trace_id: str) -> list[Span]:
        """The spans of a trace by start time; empty when it is unknown or too old."""
        return sorted(self._traces.get(trace_id, {}).values(), key=lambda span: span.start_unix_ns)


class SpanSink(SpanProcessor):
    """Passes each finished span on as our own message."""

    def __init__(self, service: str, take: Callable[[Span], None]) -> None:
        self._service = service
        self._take = take

    def on_end(self, span: ReadableSpan) -> None:
        """Called by the SDK in whatever task ends the span; must not block."""
        self._take(to_message(span, self._service))


def to_message(span: ReadableSpan, service: str) -> Span:
    """The SDK's span as it travels between our processes."""
    context = span.get_span_context()
    assert context is not None
    return Span(
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        parent_span_id=f"{span.parent.span_id:016x}" if span.parent else "",
        name=span.name,
        service=service,
        start_unix_ns=span.start_time or 0,
        end_unix_ns=span.end_time or 0,
        attributes={key: str(value) for key, value in (span.attributes or {}).items()},
        status="ok" if span.status.is_ok else "error",
        kind=span.kind.name.lower(),
    )
