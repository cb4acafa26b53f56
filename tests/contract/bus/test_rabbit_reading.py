"""What a reader on RabbitMQ makes of bytes that are not ours, of queues that go, and of a process that comes back."""

from collections.abc import AsyncIterator

import aio_pika
import pytest
import pytest_asyncio
from aio_pika.abc import AbstractChannel

from parley.bus import Bus
from parley.bus.adapters.rabbit import consumer
from parley.bus.dead_letters import park, replay
from parley.bus.open import open_bus
from parley.bus.queues import DEAD, Kind, sessions
from parley.contracts.v1 import Batch, Envelope
from parley.core import Reject, SettingsError
from tests.contract.bus.conftest import a_queue
from tests.contract.bus.reading import Reader, said, to, until

pytestmark = pytest.mark.connected


@pytest_asyncio.fixture
async def bus(bus_url: str) -> AsyncIterator[Bus]:
    async with open_bus(bus_url, service="reading", replica="one") as opened:
        await opened.apply_topology([DEAD])
        yield opened


@pytest_asyncio.fixture
async def stranger(bus_url: str) -> AsyncIterator[AbstractChannel]:
    """Somebody who uses the broker without our library."""
    connection = await aio_pika.connect(bus_url)
    async with connection, connection.channel() as channel:
        yield channel


@pytest.mark.parametrize("body", [b"", b"\xff\xfe not protobuf", "你好".encode()], ids=["empty", "binary", "text"])
async def test_bytes_that_are_no_batch_are_one_delivery_with_a_problem(
    bus: Bus, stranger: AbstractChannel, body: bytes
) -> None:
    queue = a_queue("strange")
    await bus.apply_topology([queue])
    reader = Reader()
    async with bus.subscribe(queue, reader.take):
        exchange = await stranger.get_exchange("user_to_engine")
        await exchange.publish(aio_pika.Message(body), "strange")
        await reader.has(1)
        (delivery,) = reader.deliveries
        assert delivery.event is None
        assert delivery.problem
        assert delivery.raw == body
        await bus.publish(to("strange"), said("好的"))
        await reader.has(2)
    assert reader.deliveries[1].event is not None, "it holds up nobody behind it"


async def test_an_event_of_a_later_release_is_a_problem_that_can_be_replayed_later(
    bus: Bus, stranger: AbstractChannel
) -> None:
    queue = a_queue("newer")
    await bus.apply_topology([queue])
    known, unknown = said("认识"), Envelope(type="InventedLater", payload=b"\x0a\x00")
    both = Batch(events=[unknown, Envelope(type="MessageReceived", payload=known.SerializeToString())])
    reader = Reader()
    async with bus.subscribe(queue, reader.take):
        await (await stranger.get_exchange("user_to_engine")).publish(
            aio_pika.Message(both.SerializeToString()), "newer"
        )
        await reader.has(2)
        first, second = reader.deliveries
        assert "InventedLater" in first.problem
        assert second.event == known
        await park(bus, queue, first, cause=first.problem, attempts=1, service="reading")
    (parked,) = await bus.dead_letters()
    assert Envelope.FromString(parked.letter.raw) == unknown
    with pytest.raises(Reject, match="InventedLater"):
        await replay(bus, parked)
    assert len(await bus.dead_letters()) == 1


async def test_a_queue_that_is_deleted_and_made_again_is_read_again(bus: Bus, stranger: AbstractChannel) -> None:
    queue = a_queue("remade", Kind.SHARD)
    await bus.apply_topology([queue])
    reader = Reader()
    async with bus.subscribe(queue, reader.take) as subscription:
        assert subscription.consuming
        await stranger.queue_delete("remade")
        await until(lambda: not subscription.consuming)
        await bus.apply_topology([queue])
        await bus.publish(to("remade"), said("又来了"), timeout=20)
        await reader.has(1)
        assert not subscription.lost.done()


async def test_a_reader_without_its_queue_says_so_and_what_to_do(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "LOST_SECONDS", 0.3)
    async with bus.subscribe(a_queue("never.made", Kind.SHARD), Reader().take) as subscription:
        assert "parley topology check" in str(subscription.lost.exception())
        assert not subscription.consuming


async def test_a_private_queue_is_made_again_after_its_connection_was_cut(bus: Bus) -> None:
    queue = a_queue("mine", Kind.PRIVATE)
    reader = Reader()
    async with bus.subscribe(queue, reader.take) as subscription:
        connection = await bus._consuming.connection()  # type: ignore[attr-defined]  # the cut is made from inside
        await connection.close()
        await until(lambda: not subscription.consuming)
        await until(lambda: subscription.consuming)
        await bus.publish(to("mine"), said("还在"))
        await reader.has(1)


async def test_a_reader_that_leaves_keeps_its_channel_until_it_has_settled(bus: Bus) -> None:
    """A cancelled consumer of a quorum queue would let its successor begin before it has finished."""
    queue = a_queue("leaving", Kind.SHARD)
    await bus.apply_topology([queue])
    leaving, successor = Reader(settles=False), Reader()
    for n in range(4):
        await bus.publish(to("leaving"), said(str(n)))
    async with bus.subscribe(queue, leaving.take, prefetch=2) as subscription:
        await leaving.has(2)
        async with bus.subscribe(queue, successor.take):
            subscription.pause()
            await bus.publish(to("leaving"), said("4"))
            for delivery in leaving.deliveries:
                assert successor.deliveries == []
                delivery.settle()
    async with bus.subscribe(queue, successor.take):
        await successor.has(3)
    assert successor.texts == ["2", "3", "4"]


async def test_a_broker_that_was_set_up_for_more_shards_is_reported(bus: Bus) -> None:
    three = [sessions(n) for n in range(3)]
    await bus.apply_topology([*three])
    assert await bus.check_topology([*three]) == []
    (problem,) = await bus.check_topology([*three[:2]])
    assert "more than 2 shards" in problem
    assert "PARLEY_SHARDS" in problem


@pytest.mark.parametrize("url", ["amqp://guest:guest@127.0.0.1:port/", "amqp:///", "amqp://"])
async def test_an_address_that_is_none_says_what_to_type(url: str) -> None:
    with pytest.raises(SettingsError, match="amqp://user:pass@host"):
        async with open_bus(url, service="reading", replica="one"):
            pass
