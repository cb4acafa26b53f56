"""An event that crashes whoever reads it meets the delivery limit by itself; its neighbours go on."""

import asyncio

from parley.bus import Bus, Delivery, Event, Queue, from_envelope
from parley.bus.queues import Kind
from tests.contract.bus.conftest import a_queue
from tests.contract.bus.reading import Reader, said, text_of, to, until, until_parked

LIVES = 12  # more than enough to reach the limit twice
NEIGHBOURS = {"一", "二", "三", "四", "五"}


class Fragile:
    """A process that dies as soon as it is given the poison, before it has settled anything that came with it."""

    def __init__(self) -> None:
        self.handled: list[str] = []
        self._died = asyncio.Event()

    def take(self, deliveries: list[Delivery]) -> None:
        if any(text_of(delivery.event) == "毒" for delivery in deliveries):
            self._died.set()
        if self._died.is_set():
            return
        for delivery in deliveries:
            self.handled.append(text_of(delivery.event))
            delivery.settle()

    async def live(self, bus: Bus, queue: Queue[Event]) -> None:
        """From one start to the next crash, or to the day when nothing dangerous is left."""
        self._died.clear()
        async with bus.subscribe(queue, self.take):
            await until(lambda: self._died.is_set() or {*self.handled} == NEIGHBOURS)


async def test_what_crashes_its_reader_is_parked_alone(bus: Bus) -> None:
    queue = a_queue("fragile", Kind.SHARD, delivery_limit=4)
    await bus.apply_topology([queue])
    confirms = [bus.publish_nowait(to("fragile", batch=3), said(text)) for text in ["一", "毒", "二", "三", "四", "五"]]
    await asyncio.wait(set(confirms))
    fragile = Fragile()
    for _ in range(LIVES):
        await fragile.live(bus, queue)
    (parked,) = await until_parked(bus)
    assert text_of(from_envelope(parked.letter.event)) == "毒"
    assert parked.letter.queue == "fragile"
    assert sorted(fragile.handled) == sorted(NEIGHBOURS), "each once"


async def test_readers_that_leave_now_and_then_keep_the_order_and_the_batches(bus: Bus) -> None:
    queue = a_queue("rolling", Kind.SHARD)
    await bus.apply_topology([queue])
    confirms = [bus.publish_nowait(to("rolling", batch=4), said(str(n))) for n in range(12)]
    await asyncio.wait(set(confirms))
    for _ in range(5):
        leaving = Reader(settles=False)
        async with bus.subscribe(queue, leaving.take, prefetch=2):
            await leaving.has(8)
    last = Reader()
    async with bus.subscribe(queue, last.take):
        await last.has(12)
    assert last.texts == [str(n) for n in range(12)]
    assert last.calls == [4, 4, 4]


async def test_what_is_taken_apart_for_one_queue_does_not_come_twice_to_another(bus: Bus) -> None:
    fragile = a_queue("fragile", key="shared", delivery_limit=4)
    calm = a_queue("calm", key="shared")
    await bus.apply_topology([fragile, calm])
    confirms = [bus.publish_nowait(to("shared"), said(str(n))) for n in range(3)]
    await asyncio.wait(set(confirms))
    for _ in range(2):
        leaving = Reader(settles=False)
        async with bus.subscribe(fragile, leaving.take):
            await leaving.has(3)
    last, other = Reader(), Reader()
    async with bus.subscribe(fragile, last.take), bus.subscribe(calm, other.take):
        await last.has(3)
        await bus.publish(to("shared"), said("完"))
        await other.until(lambda: "完" in other.texts)
    assert last.calls[:3] == [1, 1, 1]
    assert other.texts == ["0", "1", "2", "完"]
    assert {(d.route.exchange.name, d.route.key) for d in last.deliveries} == {("user_to_engine", "shared")}
