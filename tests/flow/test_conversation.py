"""A visitor asks and is answered, in Chinese and English, over both protocols; what is not known is never bluffed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from google.protobuf import json_format

from parley.contracts.v1 import FrameMessage
from parley.core import new_id
from tests.flow.house import Client, House
from tests.flow.people import (
    EN,
    UNKNOWN,
    ZH,
    ProtobufClient,
    a_visitor,
    answered,
    ids,
    nothing_more,
    raw,
    seqs,
)


def kinds(client: Client) -> list[str]:
    return [next(iter(frame)) for frame in client.frames]


@pytest.mark.parametrize(("question", "wanted"), [(ZH, "24 小时"), (EN, "working days")])
async def test_a_question_is_answered_from_the_handbook_in_its_language(
    desk: House, question: str, wanted: str
) -> None:
    async with a_visitor(desk) as visitor:
        end = await answered(visitor, question)
        assert wanted in end["text"]
        assert (end["origin"], end["finish_reason"], end["sender"]["kind"]) == ("extractive", "stop", "engine")
        assert end["sources"][0]["title"]
        assert end["sources"][0]["version"] == 1
        assert len(end["trace_id"]) == 32


async def test_the_answer_is_streamed_and_ends_in_one_stored_message(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        end = await answered(visitor, ZH)
        chunks = [frame["message_chunk"] for frame in visitor.frames if "message_chunk" in frame]
        assert "".join(chunk["delta"] for chunk in chunks) == end["text"]
        assert [chunk["index"] for chunk in chunks] == list(range(len(chunks)))
        assert {chunk["message_id"] for chunk in chunks} == {end["message_id"]}
        order = kinds(visitor)
        assert order.index("ack") < order.index("message_begin") < order.index("message_chunk") < order.index("event")


@pytest.mark.parametrize("question", [UNKNOWN, "What is the capital of Mongolia?"])
async def test_what_the_handbook_does_not_say_ends_in_waiting_for_a_person(desk: House, question: str) -> None:
    async with a_visitor(desk) as visitor:
        end = await answered(visitor, question)
        assert end["notice"] == "not_sure"
        assert "sources" not in end
        change = await visitor.until("event.session")
        assert (change["status"], change["reason"]) == ("waiting", "not_sure")


async def test_protobuf_says_the_same_as_json(desk: House) -> None:
    async with raw(desk, "parley.v1.pb") as socket:
        assert socket.subprotocol == "parley.v1.pb"
        visitor = ProtobufClient(socket)
        await visitor.send({"hello": {"site_key": "demo", "locale": "zh-CN"}})
        welcome = await visitor.until("welcome")
        end = await answered(visitor, ZH)
        async with a_visitor(desk, {"token": welcome["token"]}) as second:
            json_end = await second.until("event.message_end")
            assert json_format.ParseDict(json_end, FrameMessage()) == json_format.ParseDict(end, FrameMessage())
            assert seqs(second) == [1, 2]


async def test_the_same_message_sent_twice_is_stored_once_and_answered_alike(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        for _ in range(2):
            await visitor.say(ZH, "c-1")
        first, again = await visitor.until("ack"), await visitor.until("ack")
        await visitor.until("event.message_end")
        await visitor.say("换了一个说法", "c-1")
        later = await visitor.until("ack")
        assert [(ack["message_id"], ack["seq"]) for ack in (first, again, later)] == [(first["message_id"], 1)] * 3
        assert [ack["duplicate"] for ack in (first, again, later)] == [False, True, True]
        session, token = ids(visitor)
        _, page, _ = desk.call("GET", f"/v1/sessions/{session}/messages", key=token)
        assert [event["seq"] for event in page["data"]["events"]] == [1, 2]


async def test_two_visitors_may_use_the_same_ids_for_their_messages(desk: House) -> None:
    async with a_visitor(desk) as one, a_visitor(desk) as two:
        for visitor in (one, two):
            await visitor.say(ZH, "c-1")
            assert not (await visitor.until("ack"))["duplicate"]


@asynccontextmanager
async def two_tabs(desk: House) -> AsyncIterator[tuple[Client, Client]]:
    async with a_visitor(desk) as one, a_visitor(desk, {"token": ids(one)[1]}) as two:
        yield one, two


async def test_two_tabs_that_write_at_once_see_one_order(desk: House) -> None:
    async with two_tabs(desk) as tabs:

        async def write(tab: Client) -> None:
            for _ in range(10):
                await tab.say("收到", new_id("c"))

        await asyncio.gather(*(write(tab) for tab in tabs))
        seen: list[dict[int, str]] = []
        for tab in tabs:
            found: dict[int, str] = {}
            async with asyncio.timeout(10):
                while len(found) < 20:
                    await nothing_more(tab)
                    found = _told(tab)
            assert seqs(tab) == sorted(seqs(tab))
            seen.append(found)
        both = seen[0].keys() & seen[1].keys()
        assert len(both) >= 20
        assert {seq: seen[0][seq] for seq in both} == {seq: seen[1][seq] for seq in both}


def _told(tab: Client) -> dict[int, str]:
    """Visitor messages by seq, whether heard of as ack or as event."""
    acks = {f["ack"]["seq"]: f["ack"]["message_id"] for f in tab.frames if "ack" in f}
    events = [f["event"] for f in tab.frames if "event" in f and "message" in f["event"]]
    return acks | {event["seq"]: event["message"]["message_id"] for event in events}


async def test_a_visitor_that_goes_too_fast_is_told_to_wait_and_loses_nothing(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        for n in range(70):
            await visitor.say("快" * 10, f"c-{n}")
        error = await visitor.until("error")
        assert error["code"] == "rate_limited"
        assert 0 < error["retry_after_ms"] <= 1000
        assert error["client_msg_id"].startswith("c-")
        await visitor.until("ack", client_msg_id="c-59")
