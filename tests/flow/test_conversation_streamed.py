"""A reply in the middle of being written: joined, stopped, taken over, cut off; it ends in one stored message."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.flow.house import Client, House, a_house
from tests.flow.people import (
    ZH,
    SlowModel,
    a_slow_model,
    a_visitor,
    ids,
    make_key,
    nothing_more,
    position,
    seqs,
    with_model,
)


@pytest.fixture(scope="module")
def model() -> Iterator[SlowModel]:
    with a_slow_model() as model:
        yield model


@pytest.fixture(scope="module")
def house(model: SlowModel) -> Iterator[House]:
    with a_house(**with_model(model)) as house:
        yield house


@asynccontextmanager
async def half_a_reply(house: House, model: SlowModel) -> AsyncIterator[Client]:
    """A visitor to whom the first words of a reply have been shown."""
    model.let_go.clear()
    async with a_visitor(house) as visitor:
        await visitor.say(ZH, "c-1")
        await visitor.until("message_chunk")
        yield visitor
        model.let_go.set()


def chunks(client: Client) -> list[tuple[str, bool]]:
    return [
        (f["message_chunk"]["delta"], f["message_chunk"].get("snapshot", False))
        for f in client.frames
        if "message_chunk" in f
    ]


async def until(fact: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not await asyncio.to_thread(fact):  # noqa: ASYNC110 - another process' state has no event
            await asyncio.sleep(0.01)


async def test_a_models_answer_is_streamed_and_stored_whole(house: House, model: SlowModel) -> None:
    async with half_a_reply(house, model) as visitor:
        model.let_go.set()
        end = await visitor.until("event.message_end")
        assert (end["text"], end["origin"], end["ai_generated"]) == (model.first + model.rest, "llm", True)
        assert "".join(delta for delta, _ in chunks(visitor)) == end["text"]
        assert end["sources"]


async def test_a_second_tab_in_the_middle_gets_one_snapshot_and_the_rest(house: House, model: SlowModel) -> None:
    async with half_a_reply(house, model) as visitor, a_visitor(house, {"token": ids(visitor)[1]}) as tab:
        await tab.until("message_chunk")
        assert chunks(tab) == [(model.first, True)]
        model.let_go.set()
        ends = [await client.until("event.message_end") for client in (visitor, tab)]
        assert ends[0] == ends[1]
        assert [snapshot for _, snapshot in chunks(tab)].count(True) == 1
        assert "".join(delta for delta, _ in chunks(tab)) == ends[0]["text"]


async def test_who_reconnects_in_the_middle_gets_one_snapshot_from_the_engine(house: House, model: SlowModel) -> None:
    async with half_a_reply(house, model) as visitor:
        session, mine = ids(visitor)
        await visitor.socket.close()
        async with a_visitor(house, {"token": mine, "streams": position(session, 1)}) as back:
            await back.until("message_chunk")
            assert chunks(back) == [(model.first, True)]
            model.let_go.set()
            end = await back.until("event.message_end")
            assert end["text"] == model.first + model.rest
            assert seqs(back) == [2]


async def test_stop_ends_the_reply_and_nothing_comes_after_it(house: House, model: SlowModel) -> None:
    async with half_a_reply(house, model) as visitor:
        begun = next(f["message_begin"]["message_id"] for f in visitor.frames if "message_begin" in f)
        await visitor.send({"stop": {"message_id": begun}})
        end = await visitor.until("event.message_end")
        assert (end["message_id"], end["finish_reason"]) == (begun, "cancelled")
        told = len(chunks(visitor))
        model.let_go.set()
        await visitor.say("谢谢", "c-2")
        await visitor.until("event.message_end")
        assert chunks(visitor)[:told] == [(model.first, False)]
        assert model.rest not in "".join(delta for delta, _ in chunks(visitor))


async def test_a_bot_never_talks_over_a_person(house: House, model: SlowModel) -> None:
    _, key = await make_key(house, "agent")
    async with half_a_reply(house, model) as visitor:
        session, mine = ids(visitor)
        status, _, _ = await asyncio.to_thread(house.call, "POST", f"/v1/sessions/{session}/takeover", {}, key=key)
        assert status == 200
        await visitor.until("event.session", status="assigned")
        model.let_go.set()
        said = {"text": "您好，我来为您处理。"}
        await asyncio.to_thread(house.call, "POST", f"/v1/sessions/{session}/messages", said, key=key)
        await visitor.until("event.message")
        await nothing_more(visitor)
        _, page, _ = house.call("GET", f"/v1/sessions/{session}/messages", key=mine)
        assert "event" in visitor.frames[-2]
        texts = [(e.get("message") or e.get("message_end") or {}).get("text") for e in page["data"]["events"]]
        assert model.first + model.rest not in texts
        assert texts[-1] == said["text"]


async def test_a_visitor_who_leaves_in_the_middle_finds_the_whole_answer_later(house: House, model: SlowModel) -> None:
    async with half_a_reply(house, model) as visitor:
        session, mine = ids(visitor)
        await visitor.socket.close()
        model.let_go.set()

        def stored() -> bool:
            _, page, _ = house.call("GET", f"/v1/sessions/{session}/messages", key=mine)
            return len(page["data"]["events"]) == 2

        await until(stored)
    async with a_visitor(house, {"token": mine, "streams": position(session, 1)}) as back:
        assert (await back.until("event.message_end"))["text"] == model.first + model.rest
