"""Facts that nobody reads need not be carried, and events that are bytes already arrive as what they were."""

import time

import pytest

from parley.bus import EVENTS, Bus, Route
from parley.bus.adapters.rabbit import publisher
from parley.bus.queues import observer
from parley.bus.routes import as_fact
from parley.contracts.v1 import EventMeta, SessionOpened
from tests.contract.bus.conftest import a_queue
from tests.contract.bus.reading import Reader, said, to, until


def opened(session: str = "ses_小明") -> SessionOpened:
    return SessionOpened(meta=EventMeta(tenant_id="t1", session_id=session), session_id=session)


async def test_a_fact_without_a_reader_is_not_heard_until_one_comes(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "DEAF_SECONDS", 0.2)
    route = as_fact(opened())
    await bus.publish(route, opened())
    assert not bus.heard(route)
    queue = observer("reports", EVENTS, SessionOpened)
    await bus.apply_topology([queue])
    await until(lambda: bus.heard(route))
    reader = Reader()
    async with bus.subscribe(queue, reader.take):
        await bus.publish(route, opened("ses_李娜"))
        await reader.has(1)
    assert bus.heard(route)
    assert [d.event.meta.session_id for d in reader.deliveries if d.event] == ["ses_李娜"]


async def test_a_route_that_nobody_has_tried_counts_as_heard_or_is_known_not_to_be(bus: Bus) -> None:
    await bus.apply_topology([a_queue("listens")])
    assert bus.heard(to("listens"))
    assert isinstance(bus.heard(Route(EVENTS, "never.published", mandatory=False)), bool)


async def test_a_packed_event_arrives_as_it_was_and_says_when_it_was_published(bus: Bus) -> None:
    queue = a_queue("packed")
    await bus.apply_topology([queue])
    event = said("退款什么时候到？")
    packed = bus.pack(event)
    stored_at = event.meta.occurred_at.seconds + event.meta.occurred_at.nanos / 1e9
    reader = Reader()
    async with bus.subscribe(queue, reader.take):
        published_after = time.time()
        await bus.publish_nowait(to("packed"), packed)
        await bus.publish_nowait(to("packed"), packed)
        await reader.has(2)
    assert reader.texts == ["退款什么时候到？"] * 2
    first, again = (delivery.event for delivery in reader.deliveries)
    assert first is not None
    assert again is not None
    assert first.meta.event_id == again.meta.event_id == event.meta.event_id
    assert (first.meta.tenant_id, first.meta.producer) == (event.meta.tenant_id, "suite-one")
    at = first.meta.occurred_at.seconds + first.meta.occurred_at.nanos / 1e9
    assert at >= published_after - 1e-6 >= stored_at - 1e-6
