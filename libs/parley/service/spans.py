"""Where a service's finished spans go: this process's store, the bus (for the gateways' stores), a collector."""

import asyncio
from contextvars import Context

from parley.bus import Bus
from parley.bus.routes import as_fact
from parley.contracts.v1 import EventMeta, Span, SpansFinished
from parley.core import ParleyError
from parley.core.settings import PlaceSettings
from parley.telemetry import SpanSink, SpanStore, Tracing
from parley.telemetry.export import otlp_processor

SEND_EVERY = 0.15  # seconds
SEND_AT_MOST = 200  # spans in one event
WAITING_AT_MOST = 5000  # spans; beyond it the oldest are forgotten, since tracing must never hold up a turn

STORE = SpanStore()  # of this process


class SpanRelay:
    """Sends spans to the gateways in small groups, a moment after they end."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: list[Span] = []
        self._timer: asyncio.TimerHandle | None = None

    def take(self, span: Span) -> None:
        """Called as each span ends."""
        STORE.add([span])
        self._waiting.append(span)
        del self._waiting[:-WAITING_AT_MOST]
        if self._timer is None:
            # In a context of its own: sending spans is no part of the trace that they belong to.
            self._timer = asyncio.get_running_loop().call_later(SEND_EVERY, self._send, context=Context())

    def _send(self) -> None:
        self._timer = None
        while self._waiting:
            group, self._waiting = self._waiting[:SEND_AT_MOST], self._waiting[SEND_AT_MOST:]
            event = SpansFinished(meta=EventMeta(tenant_id="*"), spans=group)
            try:
                sent = self._bus.publish_nowait(as_fact(event), event)
            except ParleyError:
                return
            sent.add_done_callback(lambda done: done.cancelled() or done.exception())


def tracing_for(service: str, settings: PlaceSettings, bus: Bus) -> Tracing:
    """The tracer of one service."""
    processors = [SpanSink(service, SpanRelay(bus).take)]
    if settings.otlp_url:
        return Tracing(service, *processors, otlp_processor(settings.otlp_url), ratio=settings.traced_share())
    return Tracing(service, *processors, ratio=settings.traced_share())
