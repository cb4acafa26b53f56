"""A visitor's messages: published in the order written, acknowledged once stored, refused with a reason."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from parley.contracts.v1 import MessageReceived, SenderKind
from parley.core import BusUnavailable
from parley_gateway.inbox import MAX_PICTURES
from tests.unit.gateway.a_desk import DOWN, OTHER, SESSION, TENANT, Client, a_client, a_delivery, a_desk


async def test_a_message_is_acknowledged_only_when_it_is_stored(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        client.say("c-1", "我要退款")
        message = await at.heard_message("c-1")
        assert (message.text, message.channel, message.gateway_id) == ("我要退款", "web", "g1")
        assert (message.meta.tenant_id, message.meta.session_id) == (TENANT, SESSION)
        assert message.sender.kind == SenderKind.SENDER_KIND_VISITOR
        assert await client.told() == []
        at.commit("c-1")
        (ack,) = await client.until(1, "ack")
        assert (ack["client_msg_id"], ack["message_id"], ack["seq"], ack["duplicate"]) == ("c-1", "msg_1", 1, False)


async def test_its_own_message_comes_as_ack_here_and_as_event_on_the_other_tab(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        writer, other = await a_client(at), await a_client(at)
        writer.say("c-1")
        await at.heard_message("c-1")
        at.commit("c-1", "我要退款")
        (event,) = await other.until(1, "event")
        assert (event["seq"], event["message"]["client_msg_id"]) == (1, "c-1")
        await writer.until(1, "ack")
        assert writer.seqs() == []
        at.desk.streams.deliver(a_delivery(*at.router.store("下一条")))
        await writer.until(1, "event")
        assert writer.seqs() == [2]
        assert await other.until(2, "event")


async def test_the_same_id_sent_again_gets_the_same_answer(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        client.say("c-1")
        client.say("c-1")
        await at.until(lambda: len(at.of(MessageReceived)) == 2)
        event = at.commit("c-1")
        again = at.accepted("c-1", event.seq, duplicate=True)
        at.desk.streams.deliver(a_delivery(head=event.seq, accepted=[again]))
        acks = await client.until(2, "ack")
        client.say("c-1")
        at.desk.streams.deliver(a_delivery(head=event.seq, accepted=[again]))
        acks = await client.until(3, "ack")
        assert [(a["seq"], a["message_id"], a["duplicate"]) for a in acks] == [
            (1, "msg_1", False),
            (1, "msg_1", True),
            (1, "msg_1", True),
        ]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"client_msg_id": ""}, "bad_id"),
        ({"client_msg_id": " "}, "bad_id"),
        ({"client_msg_id": "x" * 129}, "bad_id"),
        ({"client_msg_id": "a\nb"}, "bad_id"),
        ({"text": ""}, "empty"),
        ({"text": " \n\t "}, "empty"),
        ({"text": "长" * 8001}, "too_long"),
        ({"text": "a\x00b"}, "bad_text"),
        ({"text": "", "media_ids": [str(n) for n in range(MAX_PICTURES + 1)]}, "too_many_pictures"),
        ({"media_ids": ["unknown"]}, "no_picture"),
        ({"media_ids": ["med_other"]}, "no_picture"),
        ({"stream": OTHER}, "unauthorised"),
    ],
)
async def test_what_can_never_be_a_message_is_refused_with_its_reason(
    tmp_path: Path, fields: dict[str, Any], code: str
) -> None:
    async with a_desk(tmp_path) as at:
        at.router.media["med_other"] = OTHER
        client = await a_client(at)
        given = {"client_msg_id": "c-1", "text": "你好", **fields}
        client.say(given.pop("client_msg_id"), given.pop("text"), **given)
        (error,) = await client.until(1, "error")
        assert error["code"] == code
        assert "retry_after_ms" not in error
        assert error.get("client_msg_id", "") == fields.get("client_msg_id", "c-1")
        assert at.of(MessageReceived) == []
        client.say("c-2", "再见")
        await at.heard_message("c-2")


async def test_the_largest_message_is_taken(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        client.say("i" * 128, "长" * 8000)
        await at.heard_message("i" * 128)


async def test_too_fast_is_told_with_the_time_to_wait(tmp_path: Path) -> None:
    async with a_desk(tmp_path, messages_burst=2, messages_per_second=0.5) as at:
        client = await a_client(at)
        for n in range(3):
            client.say(f"c-{n}")
        (error,) = await client.until(1, "error")
        assert (error["code"], error["client_msg_id"]) == ("rate_limited", "c-2")
        assert error["retry_after_ms"] == 2000
        await at.clock.advance(2)
        client.say("c-2")
        await at.heard_message("c-2")


async def test_tabs_of_one_visitor_share_their_rate(tmp_path: Path) -> None:
    async with a_desk(tmp_path, messages_burst=1) as at:
        one, two = await a_client(at), await a_client(at)
        one.say("c-1")
        two.say("c-2")
        assert (await two.until(1, "error"))[0]["code"] == "rate_limited"


async def test_a_full_bus_is_told_and_the_same_id_goes_through_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)

        def full(*_: Any) -> Any:
            raise BusUnavailable("too much waits already")

        with monkeypatch.context() as patched:
            patched.setattr(at.desk.ctx, "publish_nowait", full)
            client.say("c-1")
        (error,) = await client.until(1, "error")
        assert (error["code"], error["client_msg_id"]) == ("unavailable", "c-1")
        assert error["retry_after_ms"] > 0
        client.say("c-1")
        await at.heard_message("c-1")


async def test_a_message_that_the_broker_did_not_take_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(at.desk.ctx, "publish_nowait", lambda *_: lost)
        client.say("c-1")
        lost.set_exception(BusUnavailable("closed first"))
        (error,) = await client.until(1, "error")
        assert (error["code"], error["retry_after_ms"]) == ("unavailable", 2000)


async def test_what_is_written_after_a_picture_waits_behind_it(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.media["med_1"] = SESSION
        at.router.slow_media = asyncio.Event()
        client = await a_client(at)
        client.say("c-1", "", media_ids=["med_1"])
        client.say("c-2", "这张图怎么了？")
        client.say("c-3", "", media_ids=["med_1"])
        client.say("c-4", "还在吗？")
        await at.until(lambda: at.router.asked.count("FetchMedia") == 2)
        assert at.of(MessageReceived) == []
        at.router.slow_media.set()
        await at.heard_message("c-4")
        assert [m.external_message_id for m in at.of(MessageReceived)] == ["c-1", "c-2", "c-3", "c-4"]
        assert at.of(MessageReceived)[0].media[0].url == "/v1/media/demo/med_1"
        client.say("c-5")
        await at.heard_message("c-5")


async def test_a_picture_that_is_refused_does_not_hold_up_what_follows(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        client.say("c-1", "", media_ids=["unknown"])
        client.say("c-2", "hello")
        await at.heard_message("c-2")
        assert (await client.until(1, "error"))[0]["client_msg_id"] == "c-1"


async def test_a_media_service_that_is_away_is_no_reason_to_give_a_picture_up(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        at.router.media["med_1"] = SESSION
        at.router.down = DOWN
        client.say("c-1", "", media_ids=["med_1"])
        (error,) = await client.until(1, "error")
        assert error["code"] == "unavailable"
        assert error["retry_after_ms"] > 0


async def test_every_message_begins_a_trace_that_its_ack_names(tmp_path: Path) -> None:
    async with a_desk(tmp_path, ratio=1.0) as at:
        client = await a_client(at)
        client.say("c-1")
        client.say("c-2")
        one, two = (await at.heard_message("c-1")).meta.traceparent, (await at.heard_message("c-2")).meta.traceparent
        assert one.split("-")[1] != two.split("-")[1]
        assert one.endswith("-01")


async def test_an_answer_to_a_client_that_has_left_breaks_nothing(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = Client(at)
        await client.hello()
        client.say("c-1")
        await at.heard_message("c-1")
        client.connection.leave()
        at.commit("c-1")
        back = await a_client(at)
        await back.until(1, "event")
        assert back.seqs() == [1]
