"""Spans travel to the gateways without making spans themselves."""

from parley.bus.queues import EVENTS
from parley.contracts.v1 import MessageStored, SpansFinished
from parley.service import Context, Service
from parley.testing import TestBench
from parley.testing.builders import a_message_stored

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_sending_spans_is_no_part_of_their_trace() -> None:
    service = Service[None]("listener")

    @service.observes(EVENTS, MessageStored)
    async def hear(event: MessageStored, ctx: Context[None]) -> None:
        """Hear it."""

    async with TestBench(service) as bench:
        event = a_message_stored("你好")
        event.meta.traceparent = SAMPLED
        await bench.publish(event)
        await bench.until(lambda: bench.sent(SpansFinished))
        (relayed,) = bench.sent(SpansFinished)
        assert {span.trace_id for span in relayed.spans} == {SAMPLED.split("-")[1]}
        assert relayed.meta.traceparent == ""
