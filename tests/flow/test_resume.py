"""A client that comes back gets exactly what it missed, or is told to reload."""

import pytest

from tests.flow.house import House
from tests.flow.people import EN, ZH, a_visitor, answered, ids, nothing_more, position, seqs, token


async def test_who_comes_back_gets_what_it_missed_in_order(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        session, mine = ids(visitor)
        await answered(visitor, ZH)
    async with a_visitor(desk, {"token": mine, "streams": position(session, 1)}) as back:
        stream = back.frames[0]["welcome"]["streams"][0]
        assert (stream["recovered"], stream["head_seq"]) == (True, 2)
        await nothing_more(back)
        assert seqs(back) == [2]
        await answered(back, EN)
        assert seqs(back) == [2, 4]  # 3 is its own message, which the ack told


@pytest.mark.parametrize(("after", "epoch"), [(7, 1), (4_000_000_000, 1), (1, 9), (1, 0)])
async def test_a_position_that_cannot_be_is_answered_with_a_reload(desk: House, after: int, epoch: int) -> None:
    async with a_visitor(desk) as visitor:
        session, mine = ids(visitor)
        await answered(visitor, ZH)
    async with a_visitor(desk, {"token": mine, "streams": position(session, after, epoch)}) as back:
        stream = back.frames[0]["welcome"]["streams"][0]
        assert (stream["recovered"], stream["head_seq"], stream["epoch"]) == (False, 2, 1)
        await nothing_more(back)
        assert seqs(back) == []
        _, page, _ = desk.call("GET", f"/v1/sessions/{session}/messages", key=mine)
        assert [event["seq"] for event in page["data"]["events"]] == [1, 2]
        await answered(back, EN)
        assert seqs(back) == [4]


async def test_a_foreign_stream_is_not_resumed(desk: House) -> None:
    async with a_visitor(desk) as stranger, a_visitor(desk) as visitor:
        await answered(stranger, ZH)
        hello = {"token": ids(visitor)[1], "streams": position(ids(stranger)[0], 0)}
        async with a_visitor(desk, hello) as back:
            assert [s["id"] for s in back.frames[0]["welcome"]["streams"]] == [ids(visitor)[0]]
            await nothing_more(back)
            assert seqs(back) == []


async def test_what_was_not_acknowledged_is_sent_again_and_stored_once(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        session, mine = ids(visitor)
        await visitor.say(ZH, "c-1")  # and away, before any ack
    async with a_visitor(desk, {"token": mine, "streams": position(session, 0)}) as back:
        await back.say(ZH, "c-1")
        ack = await back.until("ack")
        assert (ack["client_msg_id"], ack["seq"]) == ("c-1", 1)
        assert seqs(back) in ([], [1], [1, 2])  # its replay may be older or newer than the commit
        while 2 not in seqs(back):
            await back.until("event")
        _, page, _ = desk.call("GET", f"/v1/sessions/{session}/messages", key=mine)
        assert [event["seq"] for event in page["data"]["events"]] == [1, 2]


async def test_a_returning_visitor_keeps_its_session(desk: House) -> None:
    first = token(desk)
    again = token(desk, returning=first["token"])
    assert again["session_id"] == first["session_id"]
    assert token(desk, returning="rubbish")["session_id"] != first["session_id"]


async def test_a_site_key_in_hello_begins_a_session_whose_token_opens_it_again(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        session, mine = ids(visitor)
        assert visitor.frames[0]["welcome"]["expires_at"].endswith("Z")
    async with a_visitor(desk, {"token": mine}) as back:
        assert back.frames[0]["welcome"]["session_id"] == session
