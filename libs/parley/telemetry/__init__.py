"""What happened, and where the time went: traces, metrics, logs, with every name in `names`."""

from parley.telemetry.logging import Log, configure_logging
from parley.telemetry.metrics import counter, exposition, gauge, histogram
from parley.telemetry.spans import SpanSink, SpanStore
from parley.telemetry.tracing import (
    Recording,
    TraceContext,
    Tracing,
    current_trace,
    current_trace_id,
    current_traceparent,
    parse_traceparent,
    record,
    span,
    within,
)

__all__ = [
    "Log",
    "Recording",
    "SpanSink",
    "SpanStore",
    "TraceContext",
    "Tracing",
    "configure_logging",
    "counter",
    "current_trace",
    "current_trace_id",
    "current_traceparent",
    "exposition",
    "gauge",
    "histogram",
    "parse_traceparent",
    "record",
    "span",
    "within",
]
