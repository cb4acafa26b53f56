"""The same trace with every service a process of its own, over real RabbitMQ."""

import asyncio
import json

import pytest

from tests.flow.a_trace import TURN, check_turn, edges, read_trace
from tests.flow.house import a_plot
from tests.flow.people import ZH, a_visitor, answered

pytestmark = pytest.mark.connected


async def test_one_trace_holds_the_whole_turn_across_processes_and_the_broker(bus_url: str) -> None:
    with a_plot(PARLEY_BUS_URL=bus_url) as house:
        await asyncio.to_thread(house.apply_topology)
        await asyncio.to_thread(house.start_each)
        async with a_visitor(house) as visitor:
            end = await answered(visitor, ZH, seconds=30)
            assert "24 小时" in end["text"]
            spans = await asyncio.to_thread(read_trace, house, end["trace_id"])
        assert edges(spans) >= TURN
        check_turn(spans)
        assert ZH not in json.dumps(spans, ensure_ascii=False)
