"""The whole house stopped and started again: it ends soon, and every conversation goes on where it was."""

import asyncio
import signal
import time
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed

from tests.flow.house import Client, House, a_house
from tests.flow.people import (
    EN,
    ZH,
    SlowModel,
    a_slow_model,
    a_visitor,
    answered,
    ids,
    make_key,
    nothing_more,
    position,
    seqs,
    token,
    with_model,
)

ENDS_WITHIN = 3.0
pytestmark = pytest.mark.slow


@pytest.fixture
def model() -> Iterator[SlowModel]:
    with a_slow_model() as model:
        yield model


def restart(house: House, number: int = signal.SIGTERM) -> float:
    """Stop and start; the seconds that the stop took."""
    began = time.monotonic()
    code = house.stop("all", number)
    took = time.monotonic() - began
    assert code == (0 if number != signal.SIGKILL else -signal.SIGKILL)
    house.start("all")
    house.wait_ready()
    return took


async def sent_away(client: Client) -> int:
    """The close code."""
    try:
        while True:
            await asyncio.wait_for(client.socket.recv(), 10)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
async def test_a_stop_in_mid_conversation_ends_soon_and_loses_nothing(model: SlowModel, number: signal.Signals) -> None:
    with a_house(**with_model(model)) as house:
        _, key = await make_key(house, "agent", "ingest")
        async with a_visitor(house) as visitor:
            session, mine = ids(visitor)
            await visitor.say("你好", "c-hello")
            await visitor.until("event.message_end")
            await visitor.say(ZH, "c-running")
            await visitor.until("message_chunk")  # the model is in the middle of its answer
            leaving = asyncio.create_task(sent_away(visitor))
            took = await asyncio.to_thread(restart, house, number)
            assert await leaving == (1006 if number == signal.SIGKILL else 4100)
        assert took < ENDS_WITHIN
        model.let_go.set()
        async with a_visitor(house, {"token": mine, "streams": position(session, 3)}) as back:
            stream = back.frames[0]["welcome"]["streams"][0]
            assert (stream["recovered"], stream["epoch"]) == (True, 1)
            end = await back.until("event.message_end")  # the unfinished turn is answered
            assert end["text"] == model.first + model.rest
            assert seqs(back) == [4]
            await back.say(ZH, "c-running")
            assert (await back.until("ack"))["duplicate"]
        status, page, _ = house.call("GET", f"/v1/sessions/{session}/messages", key=key)
        assert status == 200
        assert [event["seq"] for event in page["data"]["events"]] == [1, 2, 3, 4]
        assert token(house, returning=mine)["session_id"] == session


async def test_every_message_that_was_acknowledged_is_there_after_a_kill() -> None:
    with a_house(PARLEY_GATEWAY_MESSAGES_BURST="1000") as house:
        async with a_visitor(house) as visitor:
            session, mine = ids(visitor)
            killing = asyncio.get_running_loop().call_later(
                0.3, lambda: house.processes["all"].send_signal(signal.SIGKILL)
            )
            try:
                for n in range(1000):
                    await visitor.say("收到", f"c-{n}")
                    await visitor.until("ack", client_msg_id=f"c-{n}")
            except ConnectionClosed:
                pass
            killing.cancel()
        acked = {f["ack"]["client_msg_id"] for f in visitor.frames if "ack" in f}
        assert 0 < len(acked) < 1000
        house.processes.pop("all").wait()
        house.start("all")
        house.wait_ready()
        found, after = set[str](), 0
        while after is not None:
            _, page, _ = house.call("GET", f"/v1/sessions/{session}/messages?limit=300&after_seq={after}", key=mine)
            found |= {event.get("message", {}).get("client_msg_id") for event in page["data"]["events"]}
            after = page["data"]["next"]
        assert acked <= found


async def test_a_person_who_has_a_conversation_keeps_it() -> None:
    with a_house() as house:
        _, key = await make_key(house, "agent", name="李娜")
        async with a_visitor(house) as visitor:
            session, mine = ids(visitor)
            await answered(visitor, ZH)
            assert house.call("POST", f"/v1/sessions/{session}/takeover", {}, key=key)[0] == 200
        await asyncio.to_thread(restart, house)
        async with a_visitor(house, {"token": mine, "streams": position(session, 3)}) as back:
            body = {"text": "我还在。"}
            assert house.call("POST", f"/v1/sessions/{session}/messages", body, key=key)[0] == 201
            assert (await back.until("event.message"))["sender"]["name"] == "李娜"
            await back.say(EN, "c-9")
            await back.until("ack")
            await nothing_more(back)
            assert not any("message_chunk" in frame for frame in back.frames)
