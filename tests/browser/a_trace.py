"""The spans of one answered message, as the tracing store gives them: gateway, router, engine, knowledge and back."""

from typing import Any

_START = 1_763_700_000_000_000_000
_MS = 1_000_000

# (name, service, parent, start ms, end ms, attributes)
_SPANS: list[tuple[str, str, int, float, float, dict[str, str]]] = [
    ("receive message", "gateway", -1, 0, 3.1, {"parley.chars": "24"}),
    ("wait in queue", "session-router", 0, 3.1, 6.4, {"messaging.destination.name": "sessions.07"}),
    ("process MessageReceived", "session-router", 1, 6.4, 14.2, {"messaging.batch.message_count": "1"}),
    ("decide", "session-router", 2, 6.6, 6.9, {"parley.decision": "request_turn"}),
    ("commit", "session-router", 2, 7.0, 12.8, {}),
    ("acknowledge message", "gateway", 2, 14.2, 15.0, {}),
    ("wait in queue", "ai-engine", 2, 14.2, 18.9, {"messaging.destination.name": "user_to_engine"}),
    ("answer turn", "ai-engine", 6, 18.9, 402.0, {"parley.outcome": "answered", "parley.confidence": "0.93"}),
    ("stage search", "ai-engine", 7, 19.5, 51.0, {}),
    ("call Knowledge.Search", "ai-engine", 8, 20.0, 50.5, {"rpc.method": "Search"}),
    ("serve Knowledge.Search", "knowledge", 9, 21.8, 49.0, {"parley.count": "5"}),
    ("chat small-model", "ai-engine", 7, 52.0, 401.0, {"gen_ai.request.model": "small-model"}),
    ("first chunk", "gateway", 7, 96.0, 96.8, {}),
    ("wait in queue", "session-router", 7, 402.0, 403.2, {"messaging.destination.name": "sessions.07"}),
    ("process TurnCompleted", "session-router", 13, 403.2, 410.4, {}),
    ("commit", "session-router", 14, 404.0, 409.6, {}),
    ("deliver", "gateway", 14, 410.4, 412.2, {}),
    ("last chunk", "gateway", 16, 411.0, 412.0, {}),
]


def trace_of(trace_id: str) -> list[dict[str, Any]]:
    """All its spans. Times are strings, as proto3 JSON has 64-bit numbers."""
    return [
        {
            "trace_id": trace_id,
            "span_id": f"{index + 1:016x}",
            "parent_span_id": f"{parent + 1:016x}" if parent >= 0 else "",
            "name": name,
            "service": service,
            "start_unix_ns": str(_START + int(start * _MS)),
            "end_unix_ns": str(_START + int(end * _MS)),
            "attributes": attributes,
            "status": "ok",
            "kind": "internal",
        }
        for index, (name, service, parent, start, end, attributes) in enumerate(_SPANS)
    ]
