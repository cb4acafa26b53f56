"""One trace from the visitor's keystroke to the last chunk.

Sampling is decided once, at the door, and travels in the traceparent's flag. A turn that is not sampled makes no
spans at all: it only carries its trace id. Names: W3C Trace Context, `00-<32 hex>-<16 hex>-<flags>`.
"""

import contextlib
import random
import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import NamedTuple

from opentelemetry import trace as otel
from opentelemetry.context import Context as OtelContext
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from parley.telemetry import names

_FORMAT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
_TRACE_ID = re.compile(r"^[0-9a-f]{32}$")
NO_SPAN = "0" * 16
KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class TraceContext(NamedTuple):
    """Where in a trace we are, and who records spans here (nobody when the trace is not sampled)."""

    trace_id: str
    span_id: str
    sampled: bool
    tracer: otel.Tracer | None = None

    @property
    def traceparent(self) -> str:
        """As it travels in headers and events."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


_current: ContextVar[TraceContext | None] = ContextVar("parley_trace", default=None)
_chosen_trace_id: ContextVar[int] = ContextVar("parley_chosen_trace_id", default=0)


class _ChosenIds(RandomIdGenerator):
    """Gives a trace's first span the trace id that was given away before there was a span."""

    def generate_trace_id(self) -> int:
        return _chosen_trace_id.get() or super().generate_trace_id()


def current_trace() -> TraceContext | None:
    """The trace that this task works for."""
    return _current.get()


def current_trace_id() -> str:
    """Its id, or the empty string."""
    context = _current.get()
    return context.trace_id if context else ""


def current_traceparent() -> str:
    """Its traceparent, or the empty string."""
    context = _current.get()
    return context.traceparent if context else ""


def parse_traceparent(text: str) -> TraceContext | None:
    """The context that a header holds; None when it is absent or malformed, which is never an error."""
    match = _FORMAT.match(text)
    if not match or match[1] == "0" * 32 or match[2] == NO_SPAN:
        return None
    return TraceContext(match[1], match[2], bool(int(match[3], 16) & 1))


class Recording:
    """A span that is being recorded, or nothing where the trace is not sampled."""

    __slots__ = ("_span", "context")

    def __init__(self, context: TraceContext, span: otel.Span | None) -> None:
        self.context = context
        self._span = span

    def set(self, attribute: str, value: str | float | bool) -> None:
        """Note a fact about the action."""
        if self._span is not None:
            self._span.set_attribute(attribute, value)

    def fail(self, error_type: str) -> None:
        """The action failed; only the kind of error is noted, never its words."""
        if self._span is not None:
            self._span.set_attribute(names.ERROR_TYPE, error_type)
            self._span.set_status(Status(StatusCode.ERROR))


class Tracing:
    """Opens spans in the name of one service. Every service of a process has its own."""

    def __init__(self, service: str, *processors: SpanProcessor, ratio: float = 1.0) -> None:
        self.service = service
        self.ratio = ratio
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource({"service.name": service}),
            id_generator=_ChosenIds(),
            shutdown_on_exit=False,
        )
        for processor in processors:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("parley")

    def begin(self, traceparent: str = "", trace_id: str = "") -> TraceContext:
        """At the door: continue the caller's trace, or begin one and decide whether it is sampled."""
        known = parse_traceparent(traceparent)
        if known:
            return TraceContext(known.trace_id, known.span_id, known.sampled, self._tracer if known.sampled else None)
        chosen = trace_id.lower() if _TRACE_ID.match(trace_id.lower()) else secrets.token_hex(16)
        sampled = random.random() < self.ratio  # noqa: S311 - a sample, not a secret
        return TraceContext(chosen, NO_SPAN, sampled, self._tracer if sampled else None)

    def follow(self, traceparent: str) -> TraceContext:
        """Inside the house: continue what an event carries. Never decides anything: without one nothing is traced."""
        if len(traceparent) == 55 and traceparent.endswith("-00"):  # made here and not sampled: nothing to look at
            return TraceContext(traceparent[3:35], traceparent[36:52], sampled=False)
        known = parse_traceparent(traceparent) or _parse_root(traceparent)
        if known is None:
            return TraceContext(secrets.token_hex(16), NO_SPAN, sampled=False)
        return TraceContext(known.trace_id, known.span_id, known.sampled, self._tracer if known.sampled else None)

    def flush(self, timeout_ms: int = 3000) -> None:
        """Hand over what was recorded; called when the service drains."""
        self._provider.force_flush(timeout_ms)

    def close(self) -> None:
        """Flush and stop the processors."""
        self._provider.shutdown()


def _parse_root(text: str) -> TraceContext | None:
    """A trace that has no span yet: its span id is all zero."""
    parts = text.split("-")
    if len(parts) == 4 and _TRACE_ID.match(parts[1]) and parts[2] == NO_SPAN:
        return TraceContext(parts[1], parts[2], parts[3].endswith("1"))
    return None


@contextlib.contextmanager
def within(context: TraceContext) -> Iterator[TraceContext]:
    """Work inside `context`: logs carry its id, spans become its children."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


class _Unrecorded:
    """The span of a turn that is not sampled: the trace id goes on, nothing else happens. On every hot path."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: TraceContext | None) -> None:
        self._context = context

    def __enter__(self) -> Recording:
        context = self._context
        if context is None:
            return _NOTHING
        self._token = _current.set(context)
        return Recording(context, None)

    def __exit__(self, *_: object) -> None:
        if self._context is not None:
            _current.reset(self._token)


class _Recorded:
    """The span of a sampled turn."""

    __slots__ = ("_inner", "_span", "_token")

    def __init__(self, parent: TraceContext, recorded: otel.Span) -> None:
        span_id = f"{recorded.get_span_context().span_id:016x}"
        self._inner = TraceContext(parent.trace_id, span_id, sampled=True, tracer=parent.tracer)
        self._span = recorded

    def __enter__(self) -> Recording:
        self._token = _current.set(self._inner)
        return Recording(self._inner, self._span)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _current.reset(self._token)
        if kind is not None:
            Recording(self._inner, self._span).fail(kind.__name__)
        self._span.end()


_NOTHING = Recording(TraceContext("", "", sampled=False), None)


def span(
    name: str,
    *,
    kind: str = "internal",
    context: TraceContext | None = None,
    start: float | None = None,
    **attributes: str | float | bool,
) -> AbstractContextManager[Recording]:
    """Record one action under the current trace (or `context`). `start` is unix seconds, now by default.

    Attribute names are given with `__` for `.`, or set by `Recording.set` with a constant of `names`.
    """
    parent = context or _current.get()
    if parent is None or parent.tracer is None:
        return _Unrecorded(parent)
    recorded = _open(parent, name, kind, start)
    for key, value in attributes.items():
        recorded.set_attribute(key.replace("__", "."), value)
    return _Recorded(parent, recorded)


def record(
    name: str, start: float, end: float, *, context: TraceContext, kind: str = "internal", **attributes: str | float
) -> None:
    """Record an action that is already over, such as a wait. Times are unix seconds."""
    if context.tracer is None:
        return
    recorded = _open(context, name, kind, start)
    for key, value in attributes.items():
        recorded.set_attribute(key.replace("__", "."), value)
    recorded.end(int(end * 1e9))


def _open(parent: TraceContext, name: str, kind: str, start: float | None) -> otel.Span:
    assert parent.tracer is not None
    start_ns = None if start is None else int(start * 1e9)
    if parent.span_id == NO_SPAN:
        token = _chosen_trace_id.set(int(parent.trace_id, 16))
        try:
            return parent.tracer.start_span(name, OtelContext(), KINDS[kind], start_time=start_ns)
        finally:
            _chosen_trace_id.reset(token)
    outer = SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=TraceFlags(1))
    link = otel.set_span_in_context(NonRecordingSpan(outer), OtelContext())
    return parent.tracer.start_span(name, link, KINDS[kind], start_time=start_ns)
