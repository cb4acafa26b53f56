"""What a client is told: everything once and in order, whatever is lost, late or slow on the way."""

import asyncio
from pathlib import Path

import pytest

from parley_gateway.realtime import closing
from parley_gateway.realtime.view import REPLAY_AT_MOST
from tests.unit.gateway.a_desk import DOWN, KEY, Client, a_chunk, a_client, a_delivery, a_desk, an_event


async def test_a_welcome_comes_first_and_then_everything_that_was_missed_in_order(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.store("一", "二", "三")
        client = Client(at)
        welcome = await client.hello(after=1)
        await client.until(2, "event")
        stream = {"id": KEY[1], "epoch": 1, "recovered": True, "head_seq": 3}
        assert welcome["streams"] == [stream]
        assert list(client.frames[0]) == ["welcome"]
        assert client.seqs() == [2, 3]


@pytest.mark.parametrize(
    ("after", "epoch", "recovered"),
    [(0, 0, True), (0, 1, True), (3, 1, True), (4, 1, False), (2**32 - 1, 1, False), (2, 7, False), (2, 0, False)],
)
async def test_resume_is_all_or_nothing(tmp_path: Path, after: int, epoch: int, recovered: bool) -> None:
    async with a_desk(tmp_path) as at:
        at.router.store("一", "二", "三")
        client = Client(at)
        welcome = await client.hello(after=after, epoch=epoch)
        assert welcome["streams"][0]["recovered"] is recovered
        assert welcome["streams"][0]["head_seq"] == 3
        wanted = list(range(after + 1, 4)) if recovered else []
        await client.until(len(wanted), "event")
        assert client.seqs() == wanted


async def test_more_than_can_be_replayed_must_be_read_by_the_client(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.store(*["x"] * (REPLAY_AT_MOST + 1))
        client = Client(at)
        assert (await client.hello())["streams"][0]["recovered"] is False
        assert client.seqs() == []
        at.desk.streams.deliver(a_delivery(*at.router.store("new")))
        await client.until(1, "event")
        assert client.seqs() == [REPLAY_AT_MOST + 2]


async def test_a_replay_larger_than_the_queue_waits_for_the_reader_instead_of_overflowing(tmp_path: Path) -> None:
    async with a_desk(tmp_path, queue_frames=8) as at:
        at.router.store(*["x"] * REPLAY_AT_MOST)
        client = Client(at)
        await client.hello()
        await client.until(REPLAY_AT_MOST, "event")
        assert client.seqs() == list(range(1, REPLAY_AT_MOST + 1))
        assert client.closed is None


async def test_what_is_stored_while_the_history_is_being_read_is_not_lost(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.store("一")
        at.router.hold = asyncio.Event()
        client = Client(at)
        greeting = asyncio.create_task(client.hello())
        await at.until(lambda: "History" in at.router.asked)
        at.desk.streams.deliver(a_delivery(*at.router.store("二")))  # the answer under way does not hold it
        at.router.hold.set()
        welcome = await greeting
        await client.until(2, "event")
        assert welcome["streams"][0]["head_seq"] == 1
        assert client.seqs() == [1, 2]


async def test_what_is_stored_while_a_gap_is_being_read_is_not_lost(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        _, two = at.router.store("一", "二")
        at.router.hold = asyncio.Event()
        at.router.asked.clear()
        at.desk.streams.deliver(a_delivery(two))
        await at.until(lambda: at.router.asked)
        at.desk.streams.deliver(a_delivery(*at.router.store("三")))
        at.router.hold.set()
        await client.until(3, "event")
        assert client.seqs() == [1, 2, 3]


async def test_a_lost_delivery_is_repaired_from_the_store_before_anything_newer_is_told(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        one, two, three = at.router.store("一", "二", "三")
        at.desk.streams.deliver(a_delivery(one))
        at.desk.streams.deliver(a_delivery(three))
        await client.until(3, "event")
        assert client.seqs() == [1, 2, 3]
        assert two.message.text == "二"


async def test_repeats_are_told_once(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        events = at.router.store("一", "二")
        for _ in range(3):
            at.desk.streams.deliver(a_delivery(*events))
        await client.until(2, "event")
        assert client.seqs() == [1, 2]


async def test_a_head_that_is_ahead_is_caught_up_with(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        at.router.store("一", "二")
        at.desk.streams.deliver(a_delivery(head=2))
        await client.until(2, "event")
        assert client.seqs() == [1, 2]


async def test_too_large_a_gap_sends_the_client_away_to_reload(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        events = at.router.store(*["x"] * (REPLAY_AT_MOST + 2))
        at.desk.streams.deliver(a_delivery(events[-1]))
        await at.until(lambda: client.closed)
        assert client.closed is not None
        assert client.closed[0] == closing.LOST
        assert client.seqs() == []


async def test_a_new_epoch_sends_the_client_away_even_when_its_numbers_are_lower(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.store("一", "二", "三")
        client = await a_client(at, after=3)
        at.desk.streams.deliver(a_delivery(an_event(1), epoch=2))
        assert client.closed is not None
        assert client.closed[0] == closing.LOST


async def test_a_claim_that_the_store_cannot_confirm_ends_in_a_reload_not_in_a_loop(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        at.desk.streams.deliver(a_delivery(head=5))
        await at.until(lambda: client.closed)
        assert client.closed is not None
        assert client.closed[0] == closing.LOST


async def test_a_store_that_does_not_answer_sends_the_client_away_to_come_back(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        at.router.down = DOWN
        at.desk.streams.deliver(a_delivery(an_event(5)))
        await at.until(lambda: client.closed)
        assert client.closed is not None
        assert client.closed[0] == closing.LOST


async def test_whoever_joins_in_the_middle_of_a_reply_gets_one_snapshot_and_then_the_rest(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        first = await a_client(at)
        for n, delta in enumerate(["七天", "内可"]):
            at.desk.streams.chunk(a_chunk(n, delta, origin="extractive"))
        second = await a_client(at)
        at.desk.streams.chunk(a_chunk(2, "以退"))
        (begin,) = await second.until(1, "message_begin")
        chunks = await second.until(2, "message_chunk")
        assert begin["origin"] == "extractive"
        assert [(c["delta"], c.get("snapshot", False), c["index"]) for c in chunks] == [
            ("七天内可", True, 1),
            ("以退", False, 2),
        ]
        assert [c["delta"] for c in await first.until(3, "message_chunk")] == ["七天", "内可", "以退"]


async def test_a_reply_whose_end_was_read_from_the_store_takes_no_more_chunks(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        at.desk.streams.chunk(a_chunk(0, "七天"))
        at.router.store("问")
        end = an_event(2, "七天内可以退", end="msg_r")
        at.router.stored[KEY[1]].append(end)
        at.desk.streams.deliver(a_delivery(head=2))  # the delivery itself was lost
        await client.until(2, "event")
        at.desk.streams.chunk(a_chunk(1, "内可以退"))
        assert len(await client.until(1, "message_chunk")) == 1
        assert at.desk.streams.drafts(KEY) == []


async def test_a_client_that_does_not_read_loses_previews_first_and_is_then_sent_away(tmp_path: Path) -> None:
    async with a_desk(tmp_path, queue_frames=8) as at:
        client = await a_client(at)
        for n in range(50):
            at.desk.streams.chunk(a_chunk(n, "字"))
        assert client.closed is None
        at.desk.streams.deliver(a_delivery(*at.router.store(*["x"] * 9)))
        assert client.closed is not None
        assert client.closed[0] == closing.SLOW


async def test_a_ping_tells_where_the_stream_stands(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.store("一", "二")
        client = await a_client(at)
        await client.until(2, "event")
        client.connection.check(silent_for=75)
        (ping,) = await client.until(1, "ping")
        assert ping["streams"] == [{"id": KEY[1], "epoch": 1, "recovered": True, "head_seq": 2}]


async def test_nothing_is_told_after_the_client_has_left(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client = await a_client(at)
        client.connection.leave()
        at.desk.streams.deliver(a_delivery(*at.router.store("一")))
        at.desk.streams.chunk(a_chunk(0, "x"))
        assert await client.told() == []
        assert len(at.desk.streams) == 0
