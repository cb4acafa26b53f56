"""What cannot be handled is parked with its cause, can be read and replayed, and holds up nobody else."""

import pytest

from parley.bus import Bus, Queue
from parley.bus.dead_letters import park, replay
from parley.bus.queues import Kind
from parley.contracts.v1 import MessageReceived
from parley.core import Reject
from tests.contract.bus.conftest import a_queue
from tests.contract.bus.reading import Reader, said, to


async def parked_one(bus: Bus, queue: Queue[MessageReceived]) -> Reader:
    reader = Reader(settles=False)
    async with bus.subscribe(queue, reader.take):
        await bus.publish(to("poison"), said("毒"))
        await reader.has(1)
        await park(bus, queue, reader.deliveries[0], cause="Reject: 不是图片", attempts=3, service="suite")
        reader.deliveries[0].settle()
    return reader


async def test_a_parked_event_says_why_and_where_it_came_from(bus: Bus) -> None:
    queue = a_queue("poison")
    await bus.apply_topology([queue])
    await parked_one(bus, queue)  # type: ignore[arg-type]  # a queue of these events
    (parked,) = await bus.dead_letters()
    letter = parked.letter
    assert (letter.queue, letter.cause, letter.attempts) == ("poison", "Reject: 不是图片", 3)
    assert (letter.exchange, letter.routing_key) == ("user_to_engine", "poison")
    assert MessageReceived.FromString(letter.event.payload).text == "毒"
    assert len(await bus.dead_letters()) == 1, "looking takes nothing away"


async def test_a_replayed_letter_has_its_effect_once_and_is_gone(bus: Bus) -> None:
    queue = a_queue("poison")
    await bus.apply_topology([queue])
    await parked_one(bus, queue)  # type: ignore[arg-type]  # a queue of these events
    (parked,) = await bus.dead_letters()
    reader = Reader()
    async with bus.subscribe(queue, reader.take):
        await replay(bus, parked)
        await reader.has(1)
    assert reader.texts == ["毒"]
    assert await bus.dead_letters() == []
    assert await bus.take_dead_letter(parked.letter_id) is None


async def test_an_event_that_keeps_coming_back_is_buried_by_the_broker(bus: Bus) -> None:
    queue = a_queue("limit", Kind.SHARD, delivery_limit=2)
    await bus.apply_topology([queue])
    await bus.publish(to("limit"), said("崩溃"))
    for _ in range(3):
        reader = Reader(settles=False)
        async with bus.subscribe(queue, reader.take):
            await reader.has(1)
    after = Reader()
    async with bus.subscribe(queue, after.take):
        await bus.publish(to("limit"), said("好的"))
        await after.has(1)
    assert after.texts == ["好的"]
    (parked,) = await bus.dead_letters()
    assert "limit" in parked.letter.cause
    assert MessageReceived.FromString(parked.letter.event.payload).text == "崩溃"


async def test_a_batch_that_came_back_too_often_is_taken_apart(bus: Bus) -> None:
    """So that the event which crashes its reader meets the delivery limit alone."""
    queue = a_queue("apart", Kind.SHARD, delivery_limit=4)
    await bus.apply_topology([queue])
    for n in range(4):
        bus.publish_nowait(to("apart"), said(str(n)))
    sizes = []
    for _ in range(3):
        reader = Reader(settles=False)
        async with bus.subscribe(queue, reader.take):
            await reader.has(4)
            sizes.append(max(reader.calls))
        assert sorted(reader.texts) == ["0", "1", "2", "3"]
    assert sizes == [4, 4, 1]


async def test_bytes_that_cannot_be_replayed_say_so(bus: Bus) -> None:
    queue = a_queue("poison")
    await bus.apply_topology([queue])
    await parked_one(bus, queue)  # type: ignore[arg-type]  # a queue of these events
    (parked,) = await bus.dead_letters()
    parked.letter.ClearField("event")
    with pytest.raises(Reject):
        await replay(bus, parked)
