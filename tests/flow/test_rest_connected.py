"""Parts away, over real RabbitMQ: 202 while nobody commits, 503 when the broker cannot be had, nothing lost after."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from parley.core import new_id
from parley.testing.servers.rabbitmq import RabbitNode, rabbit_node
from tests.flow.house import House, a_plot, free_port
from tests.flow.people import EN, ZH, a_visitor, answered, ids, seqs

pytestmark = [pytest.mark.connected, pytest.mark.faults]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RabbitNode]:
    """A broker of this module's own, since it is broken on purpose."""
    async with rabbit_node() as node:
        yield node


@pytest.fixture(scope="module")
def built(node: RabbitNode) -> Iterator[House]:
    with a_plot(PARLEY_BUS_URL=node.url, PARLEY_GATEWAY_ACCEPT_SECONDS="1") as house:
        house.apply_topology()
        house.start_each()
        yield house


@pytest.fixture
async def house(built: House) -> House:
    """Whole again, whatever the test before has done to it."""
    await asyncio.to_thread(built.wait_ready, 60)
    return built


async def posted(house: House, external: str, *, sender: str, text: str = ZH) -> tuple[int, Any, Any]:
    body = {"channel": "wechat", "external_message_id": external, "sender": {"external_id": sender}, "text": text}
    return await asyncio.to_thread(house.call, "POST", "/v1/messages", body, key=house.operator_key)


async def until_stored(house: House, external: str, sender: str) -> tuple[int, Any]:
    """Send it again until its place is known, as an adapter does."""
    async with asyncio.timeout(60):
        while True:
            status, answer, _ = await posted(house, external, sender=sender)
            if status in (200, 201):
                return status, answer["data"]


async def test_what_is_accepted_while_the_router_is_away_is_stored_when_it_is_back(house: House) -> None:
    one, two, sender = new_id("wx"), new_id("wx"), new_id("wxid")
    assert (await posted(house, one, sender=sender))[0] == 201
    await asyncio.to_thread(house.stop, "session-router")
    status, answer, _ = await posted(house, two, sender=sender)
    assert (status, answer["data"]["seq"]) == (202, None)
    status, answer, headers = await posted(house, new_id("wx"), sender=new_id("stranger"))
    assert (status, int(headers["retry-after"]) >= 1) == (503, True)
    house.start("session-router")
    _, stored = await until_stored(house, two, sender)
    path = f"/v1/sessions/{stored['session_id']}/messages"
    _, page, _ = await asyncio.to_thread(house.call, "GET", path, key=house.operator_key)
    found = [e["message"]["client_msg_id"] for e in page["data"]["events"] if "message" in e]
    assert found == [one, two]


async def test_without_the_broker_input_is_refused_clearly_and_what_was_tried_is_stored_once(
    house: House, node: RabbitNode
) -> None:
    one, two, sender = new_id("wx"), new_id("wx"), new_id("wxid")
    assert (await posted(house, one, sender=sender))[0] == 201
    node.process.freeze()
    try:
        status, answer, headers = await posted(house, two, sender=sender)
        assert (status, int(headers["retry-after"]) >= 1) == (503, True)
        assert "same id" in answer["message"]
    finally:
        node.process.thaw()
    _, stored = await until_stored(house, two, sender)
    again = (await until_stored(house, two, sender))[1]
    assert (again["message_id"], again["seq"]) == (stored["message_id"], stored["seq"])


async def test_a_visitor_goes_on_when_the_brokers_connections_were_cut(house: House, node: RabbitNode) -> None:
    async with a_visitor(house) as visitor, a_visitor(house, {"token": ids(visitor)[1]}) as tab:
        await answered(visitor, ZH, seconds=30)
        await asyncio.to_thread(node.ctl, "close_all_connections", "test")
        await visitor.say(EN, "c-2")
        async with asyncio.timeout(30):
            while max(seqs(tab), default=0) < 4:
                await tab.until("event", seconds=30)
        assert seqs(tab) == [1, 2, 3, 4]
        session, mine = ids(visitor)
        _, page, _ = await asyncio.to_thread(house.call, "GET", f"/v1/sessions/{session}/messages", key=mine)
        assert [event["seq"] for event in page["data"]["events"]] == [1, 2, 3, 4]


async def test_a_gateway_that_was_forgotten_makes_itself_known_again(house: House, node: RabbitNode) -> None:
    """Its own queue goes with its connection, and with what was said meanwhile the router forgets it."""
    second = House(house.home, free_port(), dict(house.environment))
    second.environment["PARLEY_GATEWAY_PORT"] = str(second.port)
    second.start("gateway")
    try:
        await asyncio.to_thread(second.wait_ready)
        async with a_visitor(house) as visitor:
            session, _ = ids(visitor)
            await answered(visitor, ZH, seconds=30)
            house.processes["gateway"].send_signal(signal.SIGSTOP)
            await asyncio.to_thread(node.ctl, "close_all_connections", "test")
            await asyncio.to_thread(_take_over_and_speak, second, session)
            house.processes["gateway"].send_signal(signal.SIGCONT)
            assert (await visitor.until("event.session", seconds=15))["status"] == "assigned"
            assert (await visitor.until("event.message", seconds=30))["text"] == "我在。"
    finally:
        house.processes["gateway"].send_signal(signal.SIGCONT)
        second.stop("gateway")


def _take_over_and_speak(house: House, session: str) -> None:
    key, path = house.operator_key, f"/v1/sessions/{session}"
    for what, body in (("takeover", {}), ("messages", {"text": "我在。", "client_msg_id": "a-1"})):
        while house.call("POST", f"{path}/{what}", body, key=key)[0] not in (200, 201):
            pass  # its own connection to the broker was cut as well; each call waits for its answer
