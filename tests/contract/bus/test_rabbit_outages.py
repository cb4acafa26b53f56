"""What RabbitMQ does to publishers and readers when it is frozen, killed, out of memory or tired of us."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aio_pika
import pytest
import pytest_asyncio

from parley.bus import Bus, Route
from parley.bus.adapters.rabbit import publisher
from parley.bus.open import open_bus
from parley.bus.queues import DEAD, Kind
from parley.core import BusUnavailable
from parley.testing.servers.rabbitmq import RabbitNode, rabbit_node
from tests.contract.bus.conftest import TO_ENGINE, a_queue
from tests.contract.bus.reading import Reader, said, text_of, to

pytestmark = [pytest.mark.connected, pytest.mark.faults]

SESSIONS = ["王小明", "李娜", "Ana"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RabbitNode]:
    """A broker of this file alone, since its memory, its process and all of its connections are tampered with."""
    async with rabbit_node() as started:
        yield started


@pytest_asyncio.fixture
async def bus(node: RabbitNode) -> AsyncIterator[Bus]:
    async with open_bus(node.url, service="outages", replica="one") as opened:
        await opened.apply_topology([DEAD])
        yield opened


class Load:
    """Numbered messages of several sessions on one queue, for as long as it is wanted."""

    def __init__(self, bus: Bus, key: str) -> None:
        self._bus = bus
        self._key = key
        self.confirms: list[asyncio.Future[None]] = []

    def send(self) -> None:
        count, session = divmod(len(self.confirms), len(SESSIONS))
        event = said(f"{SESSIONS[session]} {count}")
        self.confirms.append(self._bus.publish_nowait(to(self._key), event))

    async def until(self, stop: asyncio.Future[object]) -> None:
        while not stop.done():
            self.send()
            await asyncio.sleep(0.002)  # a steady load, until the fault is over

    async def all_confirmed(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(asyncio.shield(confirm) for confirm in self.confirms))


def lines_of(reader: Reader) -> dict[str, list[int]]:
    """The numbers of each session in the order of their first arrival; repeats are refused by event, as readers do."""
    found: dict[str, list[int]] = {session: [] for session in SESSIONS}
    seen = set()
    for delivery in reader.deliveries:
        assert delivery.event is not None
        if delivery.event.meta.event_id not in seen:
            seen.add(delivery.event.meta.event_id)
            session, number = text_of(delivery.event).split()
            found[session].append(int(number))
    return found


def complete(load: Load, reader: Reader) -> bool:
    return sum(len(line) for line in lines_of(reader).values()) == len(load.confirms)


def in_order(reader: Reader) -> bool:
    return all(line == list(range(len(line))) for line in lines_of(reader).values())


async def under_load(bus: Bus, name: str, fault: "asyncio.Future[object]", *, patience: float) -> Reader:
    """Publish and read while something happens to the broker, then see what arrived."""
    load, reader = Load(bus, name), Reader()
    async with bus.subscribe(a_queue(name, Kind.SHARD), reader.take):
        await load.until(fault)
        fault.result()
        await load.all_confirmed(patience)
        await reader.until(lambda: complete(load, reader))
    return reader


async def test_each_direction_has_a_connection_with_a_name_and_ten_seconds_of_heartbeat(
    bus: Bus, node: RabbitNode
) -> None:
    await bus.publish(Route(TO_ENGINE, "nobody", mandatory=False), said("在"))
    listed = node.ctl("list_connections", "timeout", "client_properties").splitlines()
    for purpose in ("publish", "consume"):
        (line,) = [line for line in listed if f"outages-one {purpose}" in line]
        assert line.startswith("10\t")


async def test_closing_every_connection_under_load_loses_and_shuffles_nothing(bus: Bus, node: RabbitNode) -> None:
    await bus.apply_topology([a_queue("closed", Kind.SHARD)])
    closing = asyncio.ensure_future(asyncio.to_thread(node.ctl, "close_all_connections", "closed by a test"))
    assert in_order(await under_load(bus, "closed", closing, patience=20))  # type: ignore[arg-type]  # of str


async def test_a_publish_without_an_answer_is_tried_again_and_none_of_its_neighbours_is_given_up(
    bus: Bus, node: RabbitNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Routes share a channel; giving it up for one unknown outcome must not end what the others have under way."""
    queue = a_queue("frozen", Kind.SHARD, key="frozen.#")
    await bus.apply_topology([queue])
    monkeypatch.setattr(publisher, "ATTEMPT_SECONDS", 0.4)
    reader = Reader()
    async with bus.subscribe(queue, reader.take):
        await bus.publish(to("frozen.first"), said("first"))
        node.process.freeze()
        try:
            confirms = [bus.publish_nowait(to(f"frozen.{n % 8}"), said(str(n))) for n in range(80)]
            done, _ = await asyncio.wait(set(confirms), timeout=1.5)
            assert not done
            late = [bus.publish_nowait(to(f"frozen.{n % 8}"), said(str(n))) for n in range(80, 120)]
        finally:
            node.process.thaw()
        async with asyncio.timeout(20):
            await asyncio.gather(*(asyncio.shield(confirm) for confirm in [*confirms, *late]))
        await reader.until(lambda: {str(n) for n in range(120)} <= set(reader.texts))
    for route in range(8):
        line = [int(text) for text in dict.fromkeys(reader.texts) if text.isdigit() and int(text) % 8 == route]
        assert line == sorted(line)


async def test_every_attempt_has_a_message_id_of_its_own(
    bus: Bus, node: RabbitNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = a_queue("ids", Kind.WORK)
    await bus.apply_topology([queue])
    monkeypatch.setattr(publisher, "ATTEMPT_SECONDS", 0.3)
    await bus.publish(to("ids"), said("0"))
    node.process.freeze()
    try:
        confirm = bus.publish_nowait(to("ids"), said("1"))
        await asyncio.wait({confirm}, timeout=1.0)
    finally:
        node.process.thaw()
    await asyncio.wait_for(confirm, 20)
    ids = []
    async with await aio_pika.connect(node.url) as connection:
        found = await (await connection.channel()).get_queue("ids")
        while (message := await found.get(fail=False)) is not None:
            ids.append(message.message_id)
            await message.ack()
    assert len(ids) >= 3, "the second event was attempted more than once, and each attempt arrived"
    assert len(set(ids)) == len(ids)
    assert None not in ids


async def test_under_a_memory_alarm_readers_go_on_and_publishers_wait(bus: Bus, node: RabbitNode) -> None:
    queue = a_queue("alarm", Kind.SHARD)
    await bus.apply_topology([queue])
    for n in range(100):
        bus.publish_nowait(to("alarm", batch=10), said(str(n)))
    await bus.publish(to("alarm", batch=10), said("last before"))
    reader = Reader()
    with low_memory(node):
        refused = bus.publish_nowait(to("alarm"), said("during"))
        async with bus.subscribe(queue, reader.take):
            await reader.until(lambda: "last before" in reader.texts)
            assert not refused.done()
            with pytest.raises(BusUnavailable, match="not confirmed"):
                await bus.publish(to("alarm"), said("unknown"), timeout=0.2)
            await asyncio.to_thread(enough_memory, node)
            await asyncio.wait_for(asyncio.shield(refused), 20)
            await reader.until(lambda: "unknown" in reader.texts)


async def test_previews_are_dropped_while_the_broker_is_away_and_nothing_else_is(node: RabbitNode) -> None:
    async with open_bus("amqp://guest:guest@127.0.0.1:9/", service="outages", replica="two") as away:
        with pytest.raises(BusUnavailable, match="not connected"):
            await away.publish(Route(TO_ENGINE, "gone", durable=False), said("草稿"))
        waits = away.publish_nowait(to("gone"), said("要紧的"))
        assert not (await asyncio.wait({waits}, timeout=0.1))[0]
    with pytest.raises(BusUnavailable, match="closed"):
        await waits


async def test_a_killed_broker_comes_back_with_everything_that_it_confirmed(bus: Bus, node: RabbitNode) -> None:
    await bus.apply_topology([a_queue("killed", Kind.SHARD)])
    await bus.publish(to("killed"), said("王小明 0"))
    await names_at_rest(node)

    async def kill_and_start() -> None:
        node.process.kill()
        await node.process.start()

    reader = Reader()
    async with bus.subscribe(a_queue("killed", Kind.SHARD), reader.take):
        await reader.has(1)
        reader.deliveries.clear()
    assert in_order(await under_load(bus, "killed", asyncio.ensure_future(kill_and_start()), patience=40))


async def names_at_rest(node: RabbitNode) -> None:
    """Killed before it wrote a new queue's name down, which is a second late, RabbitMQ 3.10 never elects its leader."""

    def last_written() -> float:
        return max(file.stat().st_mtime for file in node.data.rglob("quorum/*/*.dets"))

    async with asyncio.timeout(20):
        while time.time() - last_written() < 2:  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.1)


@contextmanager
def low_memory(node: RabbitNode) -> Iterator[None]:
    """Less memory allowed than the broker has in use."""
    node.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        yield
    finally:
        enough_memory(node)


def enough_memory(node: RabbitNode) -> None:
    node.ctl("set_vm_memory_high_watermark", "absolute", "1GB")
