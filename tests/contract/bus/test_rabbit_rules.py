"""The rules of RabbitMQ that were learnt the hard way, each against the real broker."""

import asyncio

import aio_pika
import pytest

from parley.bus import Bus
from parley.bus.adapters.rabbit.link import HEARTBEAT
from parley.bus.open import open_bus
from parley.bus.queues import DEAD, Kind
from parley.core import BusUnavailable, Conflict, Unroutable
from parley.testing.servers import RabbitMQ
from parley.testing.servers.rabbitmq import RabbitNode
from tests.contract.bus.conftest import a_queue
from tests.contract.bus.reading import Reader, said, to

pytestmark = pytest.mark.connected


async def test_unroutable_publishes_of_the_same_event_all_fail(bus_url: str) -> None:
    """Returns are matched by message id: one id twice under way was a false success."""
    async with open_bus(bus_url, service="rules", replica="one") as bus:
        await bus.apply_topology([DEAD])
        event = said("同一个")
        confirms = [bus.publish_nowait(to(f"nobody.{n}"), event) for n in range(5)]
        outcomes = await asyncio.gather(*confirms, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unroutable] * 5


async def test_a_queue_with_other_arguments_is_named_and_left_alone(bus_url: str) -> None:
    ours, theirs = a_queue("differs", Kind.SHARD), a_queue("differs", Kind.WORK)
    async with open_bus(bus_url, service="rules", replica="one") as bus:
        await bus.apply_topology([DEAD, theirs])
        (problem,) = await bus.check_topology([ours])
        assert "x-single-active-consumer" in problem
        with pytest.raises(Conflict, match="differs"):
            await bus.apply_topology([ours])
        assert await bus.check_topology([theirs]) == []


async def test_publishing_and_reading_have_a_connection_each_and_ten_seconds_of_heartbeat(bus_url: str) -> None:
    assert HEARTBEAT == 10
    async with open_bus(bus_url, service="rules", replica="one") as bus:
        await bus.apply_topology([DEAD])
        publishing = await bus._publishing.connection()  # type: ignore[attr-defined]  # the rule is about the adapter
        consuming = await bus._consuming.connection()  # type: ignore[attr-defined]  # as above
        assert publishing is not consuming


async def test_a_reader_goes_on_after_its_connection_was_closed(rabbitmq: RabbitMQ, bus_url: str) -> None:
    queue = a_queue("cut", Kind.SHARD)
    reader = Reader()
    async with open_bus(bus_url, service="rules", replica="one") as bus:
        await bus.apply_topology([DEAD, queue])
        async with bus.subscribe(queue, reader.take):
            await bus.publish(to("cut"), said("before"))
            await reader.has(1)
            await _cut(rabbitmq)
            for n in range(20):
                await bus.publish(to("cut"), said(str(n)), timeout=20)
            await reader.until(lambda: "19" in reader.texts)
    assert [t for t in dict.fromkeys(reader.texts) if t != "before"] == [str(n) for n in range(20)]


async def test_what_is_published_while_the_connection_is_cut_arrives_in_its_order(
    rabbitmq: RabbitMQ, bus_url: str
) -> None:
    queue = a_queue("while", Kind.SHARD)
    reader = Reader()
    async with open_bus(bus_url, service="rules", replica="one") as bus:
        await bus.apply_topology([DEAD, queue])
        async with bus.subscribe(queue, reader.take):
            confirms: list[asyncio.Future[None]] = []
            cutting = asyncio.create_task(_cut(rabbitmq))
            while not cutting.done() or len(confirms) < 300:
                confirms.append(bus.publish_nowait(to("while"), said(str(len(confirms)))))
                await asyncio.sleep(0.002)  # a steady load, until the cut has been made
            await asyncio.wait_for(asyncio.gather(*confirms), 30)
            await reader.until(lambda: str(len(confirms) - 1) in reader.texts)
    assert list(dict.fromkeys(reader.texts)) == [str(n) for n in range(len(confirms))], "repeats, but no gaps"


async def test_a_reader_whose_queue_is_deleted_says_that_it_is_lost(bus_url: str) -> None:
    queue = a_queue("deleted", Kind.SHARD)
    async with open_bus(bus_url, service="rules", replica="one") as bus:
        await bus.apply_topology([DEAD, queue])
        async with bus.subscribe(queue, Reader().take) as subscription:
            connection = await aio_pika.connect(bus_url)
            async with connection, connection.channel() as channel:
                await channel.queue_delete("deleted")
            with pytest.raises(BusUnavailable, match="deleted"):
                await asyncio.wait_for(asyncio.shield(subscription.lost), 40)


async def test_too_much_waiting_is_refused_before_it_is_taken(bus_url: str) -> None:
    async with open_bus("amqp://guest:guest@127.0.0.1:9/", service="rules", replica="one") as bus:
        with pytest.raises(BusUnavailable, match="too many"):
            _publish_all(bus, 30_000)
        assert not bus.connected


def _publish_all(bus: Bus, count: int) -> None:
    for n in range(count):
        bus.publish_nowait(to("away"), said(str(n)))


async def _cut(broker: RabbitMQ) -> None:
    """Close every connection from the broker's side."""
    assert isinstance(broker, RabbitNode), "these rules need a node of our own"
    await asyncio.to_thread(broker.ctl, "close_all_connections", "cut by a test")
