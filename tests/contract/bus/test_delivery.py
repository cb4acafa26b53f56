"""What every bus does with an event: routes it, confirms it, gives it to one reader, in order, again if unsettled."""

import asyncio

import pytest

from parley.bus import Bus
from parley.bus.open import open_bus
from parley.bus.queues import Kind
from parley.core import Unroutable
from tests.contract.bus.conftest import a_queue
from tests.contract.bus.reading import Reader, said, to


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("order.*", ["order.paid"], ["order", "order.paid.twice", "parcel.paid"]),
        ("order.#", ["order", "order.paid", "order.paid.twice"], ["parcel.order"]),
        ("*.paid.#", ["order.paid", "order.paid.twice"], ["paid", "order.late.paid"]),
        ("#", ["order", "a.b.c"], []),
    ],
)
async def test_a_topic_pattern_takes_its_keys_and_no_others(
    bus: Bus, pattern: str, taken: list[str], left: list[str]
) -> None:
    queue = a_queue("topics", key=pattern)
    await bus.apply_topology([queue])
    reader = Reader()
    async with bus.subscribe(queue, reader.take):
        for key in taken:
            await bus.publish(to(key), said(key))
        for key in left:
            with pytest.raises(Unroutable):
                await bus.publish(to(key), said(key))
        await reader.has(len(taken))
    assert reader.texts == taken


async def test_an_event_that_need_not_find_a_reader_is_confirmed_without_one(bus: Bus) -> None:
    await bus.publish(to("nobody", mandatory=False), said("没有人听"))


async def test_events_of_one_route_arrive_in_the_order_they_were_published(bus: Bus) -> None:
    queue = a_queue("order")
    await bus.apply_topology([queue])
    reader = Reader()
    async with bus.subscribe(queue, reader.take):
        confirms = [bus.publish_nowait(to("order"), said(str(n))) for n in range(500)]
        await asyncio.wait(set(confirms))
        await reader.has(500)
    assert reader.texts == [str(n) for n in range(500)]
    assert len(reader.calls) < 100, "what is published at once travels in batches"
    assert max(reader.calls) <= 64


async def test_a_route_may_want_smaller_batches(bus: Bus) -> None:
    queue = a_queue("small")
    await bus.apply_topology([queue])
    reader = Reader()
    async with bus.subscribe(queue, reader.take):
        for n in range(20):
            bus.publish_nowait(to("small", batch=3), said(str(n)))
        await reader.has(20)
    assert max(reader.calls) <= 3


async def test_what_the_reader_sees_is_stamped(bus: Bus) -> None:
    queue = a_queue("stamped")
    await bus.apply_topology([queue])
    reader = Reader()
    async with bus.subscribe(queue, reader.take):
        await bus.publish(to("stamped"), said("你好"))
        await reader.has(1)
    (delivery,) = reader.deliveries
    assert delivery.event is not None
    meta = delivery.event.meta
    assert (meta.producer, meta.version) == ("suite-one", 1)
    assert meta.event_id
    assert meta.HasField("occurred_at")
    assert delivery.route.key == "stamped"


async def test_two_readers_of_a_work_queue_share_it(bus: Bus, other: Bus) -> None:
    queue = a_queue("shared")
    await bus.apply_topology([queue])
    first, second = Reader(settles=False), Reader(settles=False)
    async with bus.subscribe(queue, first.take, prefetch=1), other.subscribe(queue, second.take, prefetch=1):
        for n in range(2):
            await bus.publish(to("shared"), said(str(n)))
        await asyncio.gather(first.has(1), second.has(1))
    assert {*first.texts, *second.texts} == {"0", "1"}


async def test_prefetch_bounds_what_is_in_hand(bus: Bus) -> None:
    queue = a_queue("bounded")
    await bus.apply_topology([queue])
    reader = Reader(settles=False)
    async with bus.subscribe(queue, reader.take, prefetch=2):
        for n in range(5):
            await bus.publish(to("bounded"), said(str(n)))
        await reader.has(2)
        for settled in range(3):
            assert len(reader.deliveries) == settled + 2, "a third batch came before one was settled"
            reader.deliveries[settled].settle()
            await reader.has(settled + 3)


async def test_the_first_reader_of_a_shard_has_it_until_it_leaves(bus: Bus, other: Bus) -> None:
    queue = a_queue("shard", Kind.SHARD)
    await bus.apply_topology([queue])
    active, waiting = Reader(), Reader()
    async with other.subscribe(queue, active.take):
        async with bus.subscribe(queue, waiting.take):
            for n in range(10):
                await bus.publish(to("shard"), said(str(n)))
            await active.has(10)
            assert waiting.deliveries == []
        async with bus.subscribe(queue, waiting.take):
            pass
    async with bus.subscribe(queue, waiting.take):
        await bus.publish(to("shard"), said("后来的"))
        await waiting.has(1)
    assert waiting.texts == ["后来的"]


async def test_what_was_not_settled_comes_again_in_order_and_says_so(bus: Bus) -> None:
    queue = a_queue("again", Kind.SHARD)
    await bus.apply_topology([queue])
    first, second = Reader(settles=False), Reader()
    async with bus.subscribe(queue, first.take):
        for n in range(5):
            await bus.publish(to("again"), said(str(n)))
        await first.has(5)
        first.deliveries[0].settle()
        await bus.publish(to("again"), said("5"))
        await first.has(6)
    async with bus.subscribe(queue, second.take):
        await second.has(5)
    assert second.texts == ["1", "2", "3", "4", "5"]
    assert {delivery.redelivered for delivery in second.deliveries} == {1}


async def test_settling_after_the_reader_has_left_changes_nothing(bus: Bus) -> None:
    queue = a_queue("late")
    await bus.apply_topology([queue])
    first, second = Reader(settles=False), Reader()
    async with bus.subscribe(queue, first.take):
        await bus.publish(to("late"), said("迟到"))
        await first.has(1)
    first.deliveries[0].settle()
    async with bus.subscribe(queue, second.take):
        await second.has(1)


async def test_a_paused_reader_finishes_what_it_has_and_the_next_goes_on_behind_it(bus: Bus, other: Bus) -> None:
    queue = a_queue("leave", Kind.SHARD)
    await bus.apply_topology([queue])
    leaving, next_one = Reader(settles=False), Reader()
    async with other.subscribe(queue, leaving.take, prefetch=2) as subscription:
        for n in range(6):
            await bus.publish(to("leave"), said(str(n)))
        await leaving.has(2)
        subscription.pause()
        for delivery in leaving.deliveries:
            delivery.settle()
        done = list(leaving.texts)
    async with bus.subscribe(queue, next_one.take):
        await next_one.has(6 - len(done))
    assert done + next_one.texts == [str(n) for n in range(6)]


async def test_a_private_queue_goes_with_its_reader(bus: Bus) -> None:
    queue = a_queue("mine", Kind.PRIVATE)
    reader = Reader()
    async with bus.subscribe(queue, reader.take):
        await bus.publish(to("mine"), said("给我的"))
        await reader.has(1)
    with pytest.raises(Unroutable):
        await bus.publish(to("mine"), said("没有人了"))


async def test_a_full_queue_refuses_and_takes_again_when_there_is_room(url: str, bus: Bus) -> None:
    queue = a_queue("full", max_length=3)
    await bus.apply_topology([queue])
    async with open_bus(url, service="suite", replica="writer") as writer:
        accepted = 0
        for n in range(12):
            confirm = writer.publish_nowait(to("full", batch=1), said(str(n)))
            done, _ = await asyncio.wait({confirm}, timeout=1.0)
            if not done:
                break
            accepted += 1
        assert 3 <= accepted < 12, "the queue grew past its bound"
        reader = Reader()
        async with bus.subscribe(queue, reader.take):
            await asyncio.wait_for(asyncio.shield(confirm), 20)
            await reader.has(accepted + 1)
    assert reader.texts == [str(n) for n in range(accepted + 1)]
