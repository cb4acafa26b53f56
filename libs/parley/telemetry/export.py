"""Spans to an OpenTelemetry collector, when `PARLEY_OTLP_URL` names one."""

from opentelemetry.sdk.trace import SpanProcessor


def otlp_processor(url: str) -> SpanProcessor:
    """Batches spans in a thread of its own and posts them to `url`/v1/traces. A dead collector costs only spans."""
    # Imported here: the exporter takes 0.1 s to load and most processes run without it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    exporter = OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces", timeout=5)
    return BatchSpanProcessor(exporter, max_queue_size=4096, max_export_batch_size=512, schedule_delay_millis=1000)
