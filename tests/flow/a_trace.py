"""The span tree of one turn, as an operator reads it."""

from typing import Any

from tests.flow.house import House

TURN = {
    ("gateway", "session-router"),  # the message to its shard
    ("session-router", "ai-engine"),  # the turn to an engine
    ("ai-engine", "knowledge"),  # the question, and by the same call its answer
    ("ai-engine", "session-router"),  # the outcome to the shard
    ("ai-engine", "gateway"),  # the previews
    ("session-router", "gateway"),  # the stored message
}
WAIT, LAST = "wait in queue", "last chunk"


def read_trace(house: House, trace_id: str, *, tries: int = 200) -> list[dict[str, Any]]:
    """The spans, once those of the whole turn have arrived; every look takes its time."""
    spans: list[dict[str, Any]] = []
    for _ in range(tries):
        status, answer, _ = house.call("GET", f"/v1/traces/{trace_id}", key=house.operator_key)
        spans = answer["data"]["spans"] if status == 200 else []
        if edges(spans) >= TURN and any(span["name"] == LAST for span in spans):
            return spans
    raise AssertionError(f"of {TURN}, {TURN - edges(spans)} did not come in {len(spans)} spans")


def edges(spans: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """From which service to which the work went."""
    by_id = {span["span_id"]: span for span in spans}
    return {
        (by_id[span["parent_span_id"]]["service"], span["service"])
        for span in spans
        if span["parent_span_id"] in by_id and by_id[span["parent_span_id"]]["service"] != span["service"]
    }


def check_turn(spans: list[dict[str, Any]]) -> None:
    """One tree from the keystroke to the last chunk, every wait in a queue a span of its own."""
    by_id = {span["span_id"]: span for span in spans}
    roots = [span for span in spans if span["parent_span_id"] not in by_id]
    assert [(root["service"], root["name"]) for root in roots] == [("gateway", "receive message")]
    waits = [span for span in spans if span["name"] == WAIT]
    crossed = sorted((by_id[wait["parent_span_id"]]["service"], wait["service"]) for wait in waits)
    assert set(crossed) >= {
        ("gateway", "session-router"),
        ("session-router", "ai-engine"),
        ("ai-engine", "session-router"),
        ("session-router", "gateway"),
    }
    for span in spans:
        assert span["end_unix_ns"] >= span["start_unix_ns"], span
    keystroke = roots[0]["start_unix_ns"]
    assert all(span["start_unix_ns"] >= keystroke - 1_000_000 for span in spans)  # clocks of one machine
    last = max((span for span in spans if span["name"] == LAST), key=lambda span: span["end_unix_ns"])
    assert last["service"] == "gateway"
    assert last["end_unix_ns"] > keystroke
