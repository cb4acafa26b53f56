"""One trace from the visitor's keystroke to the last chunk, readable without any tracing server."""

import asyncio
import json

from tests.flow.a_trace import TURN, check_turn, edges, read_trace
from tests.flow.house import House
from tests.flow.people import ZH, a_visitor, answered, ids, make_key, token


async def test_one_trace_holds_the_whole_turn_with_its_waits(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        end = await answered(visitor, ZH)
        ack = next(frame["ack"] for frame in visitor.frames if "ack" in frame)
        assert ack["trace_id"] == end["trace_id"]
        spans = await asyncio.to_thread(read_trace, desk, end["trace_id"])
    assert edges(spans) >= TURN
    check_turn(spans)
    assert ZH not in json.dumps(spans, ensure_ascii=False)


async def test_a_channels_trace_is_continued_through_the_whole_turn(desk: House) -> None:
    trace, span_id = "5bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    body = {"channel": "traced", "external_message_id": "t-1", "sender": {"external_id": "u-1"}, "text": ZH}
    headers = {"traceparent": f"00-{trace}-{span_id}-01"}
    call = asyncio.to_thread(desk.call, "POST", "/v1/messages", body, key=desk.operator_key, headers=headers)
    status, answer, _ = await call
    assert (status, answer["data"]["trace_id"]) == (201, trace)

    def spans() -> list[dict[str, str]]:
        _, found, _ = desk.call("GET", f"/v1/traces/{trace}", key=desk.operator_key)
        return list(found["data"]["spans"])

    wanted = {("gateway", "session-router"), ("session-router", "ai-engine"), ("ai-engine", "knowledge")}
    for _ in range(200):
        if edges(found := await asyncio.to_thread(spans)) >= wanted:
            break
    assert edges(found) >= wanted
    assert [s["name"] for s in found if s["parent_span_id"] == span_id] == ["http request POST"]


async def test_traces_are_read_by_operators_and_in_the_demo_by_their_own_visitor(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        end = await answered(visitor, ZH)
        trace, mine = end["trace_id"], ids(visitor)[1]
        await asyncio.to_thread(read_trace, desk, trace)
    path = f"/v1/traces/{trace}"
    _, agent = await make_key(desk, "agent", "ingest")
    _, foreign = await make_key(desk, "operate", tenant="other")
    credentials = {"": 401, mine: 200, token(desk)["token"]: 404, agent: 403, foreign: 404, desk.operator_key: 200}
    for credential, status in credentials.items():
        assert desk.call("GET", path, key=credential)[0] == status
    assert desk.call("GET", "/v1/traces/unknown", key=desk.operator_key)[0] == 404
