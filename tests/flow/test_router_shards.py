"""One shard: its owner, its store, its bus, and what goes wrong between them."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from parley.bus import Route
from parley.bus.queues import USER_TO_ENGINE_EXCHANGE
from parley.contracts.v1 import MessageReceived, StreamAttached, TurnFailed
from parley.telemetry import names
from parley.testing.builders import SESSION, TENANT, a_message_received, a_meta
from parley_session_router.machine import CLOSED, WAITING, SessionState
from parley_session_router.store import RECENT_IDS, SessionKey
from tests.flow.router_house import Faulty, House, a_house

KEY = SessionKey(TENANT, SESSION)


def _head_is(seq: int, state: SessionState) -> bool:
    return state.head_seq == seq


def _accepted_are(house: House, number: int) -> bool:
    return len(house.accepted) == number


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with a_house(tmp_path) as house:
        yield house


async def test_a_message_is_stored_before_it_is_accepted_and_the_turn_comes_back_as_an_answer(house: House) -> None:
    async with house.router():
        await house.publish(a_message_received("我要退款", external_id="c1"))
        await house.until(lambda: house.accepted)
        page = await house.store.history(KEY)
        assert page is not None
        assert page.entries[0].message_id == house.accepted[0].message_id
        await house.until(lambda: house.asked)
        await house.answer(house.asked[0])
        await house.until(lambda: len(house.events) == 2)
    assert [(e.seq, e.WhichOneof("body")) for e in house.events] == [(1, "message"), (2, "message_end")]
    assert [d.head_seq for d in house.delivered] == [1, 2]


async def test_a_burst_in_one_batch_is_one_question(house: House) -> None:
    await house.publish(*[a_message_received(text) for text in ("一", "二", "三")])
    async with house.router():
        await house.until(lambda: len(house.events) == 3 and house.asked)
    assert [[m.text for m in question.asked] for question in house.asked] == [["一", "二", "三"]]


@pytest.mark.parametrize("at_once", [True, False], ids=["before the first is stored", "after all are stored"])
async def test_more_repeats_at_once_than_a_session_remembers_are_stored_once(house: House, at_once: bool) -> None:
    """An outage during which a client writes on ends like this: everything, and everything again, in one batch."""
    number = 3 * RECENT_IDS
    messages = [a_message_received(f"第{n}句", external_id=f"c{n}") for n in range(number)]
    async with house.router():
        for repeat in range(3):
            await house.publish(*messages)
            if not at_once:
                await house.until(partial(_accepted_are, house, (repeat + 1) * number))
        await house.until(lambda: len(house.accepted) == 3 * number)
    assert len(house.events) == number
    places: dict[str, set[int]] = {}
    for accepted in house.accepted:
        places.setdefault(accepted.external_message_id, set()).add(accepted.seq)
    assert all(len(seqs) == 1 for seqs in places.values())
    assert await house.causes() == []


async def test_a_crash_after_the_commit_loses_nothing(house: House) -> None:
    deaf = Faulty(None)
    deaf.silent = True
    async with house.router("r1", bus=deaf) as first:
        await house.publish(a_message_received("我要退款", external_id="c1"))
        await house.until(lambda: first.worker.owns)
        await house.until_stored(lambda state: state.head_seq == 1, KEY)
        await first.kill()
    assert not house.delivered
    async with house.router("r2"):
        await house.until(lambda: house.accepted and house.asked and house.events)
    assert len(house.events) == 1
    assert {(a.seq, a.message_id) for a in house.accepted} == {(1, house.events[0].message.message_id)}
    assert {question.turn_id for question in house.asked} == {house.asked[0].turn_id}


async def test_a_crash_between_two_commits_keeps_what_the_first_still_owed(house: House) -> None:
    deaf = Faulty(None)
    deaf.silent = True
    async with house.router("r1", bus=deaf) as first:
        for number in (1, 2, 3):
            await house.publish(a_message_received(f"第{number}句", external_id=f"c{number}"))
            await house.until_stored(partial(_head_is, number), KEY)
        await first.kill()
    async with house.router("r2"):
        await house.until(lambda: {e.seq for e in house.events} == {1, 2, 3})
    first_shown = list(dict.fromkeys(e.seq for e in house.events))
    assert first_shown == [1, 2, 3]


async def test_a_zombie_writes_nothing_and_the_message_is_stored_once(house: House) -> None:
    async with house.router() as router:
        await house.publish(a_message_received("一", external_id="c1"))
        await house.until(lambda: len(house.events) == 1)
        await house.store.claim_shard(0)  # somebody else became the owner while this one was paused
        await house.publish(a_message_received("二", external_id="c2"))
        await house.until(lambda: len(house.events) >= 2)
        assert router.worker.owns
    assert [e.seq for e in house.events] == [1, 2]
    assert await house.causes() == []


async def test_a_newer_owners_write_makes_the_older_one_read_again(house: House) -> None:
    async with house.router():
        await house.publish(a_message_received("一", external_id="c1"))
        await house.until(lambda: len(house.events) == 1)
        async with house.router("r2") as second:
            # The second stands in line; it is given the shard when the first one leaves.
            assert not second.worker.owns
            await house.publish(a_message_received("二", external_id="c2"))
            await house.until(lambda: len(house.events) == 2)
    assert [e.seq for e in house.events] == [1, 2]


async def test_leaving_hands_the_shard_to_the_next_in_line_with_nothing_repeated(house: House) -> None:
    async with house.router("r1") as first:
        await house.until(lambda: first.worker.owns)
        async with house.router("r2") as second:
            await house.publish(a_message_received("一", external_id="c1"))
            await house.until(lambda: len(house.events) == 1)
            await first.drain()
            await house.until(lambda: second.worker.owns)
            await house.publish(a_message_received("二", external_id="c2"))
            await house.until(lambda: len(house.events) == 2)
    assert [(a.seq, a.duplicate) for a in house.accepted] == [(1, False), (2, False)]


async def test_a_router_knows_that_it_owns_a_shard_without_any_traffic(house: House) -> None:
    async with house.router() as router:
        await house.until(lambda: router.worker.owns)


async def test_a_repeat_from_further_back_than_memory_gets_its_first_answer(house: House) -> None:
    first = a_message_received("第一句", external_id="c-first")
    async with house.router():
        await house.publish(first, *[a_message_received(f"{n}") for n in range(RECENT_IDS + 5)])
        await house.until(lambda: len(house.events) == RECENT_IDS + 6)
        before = len(house.events)
        await house.store.copy_tails()  # what is that far back has been copied
        await house.publish(first)
        await house.until(lambda: house.accepted[-1].duplicate)
    assert (house.accepted[-1].seq, house.accepted[-1].message_id) == (1, house.events[0].message.message_id)
    assert len(house.events) == before


@pytest.mark.parametrize("fault", ["away", "forgotten"])
async def test_a_store_that_is_away_for_a_while_delays_and_doubles_nothing(house: House, fault: str) -> None:
    store = Faulty(house.store)
    setattr(store, fault, 2)
    async with house.router(store=store):
        await house.publish(a_message_received("一", external_id="c1"), a_message_received("二", external_id="c2"))
        await house.until(lambda: len(house.events) == 2)
        await house.until(lambda: house.asked)
    assert [(a.seq, a.duplicate) for a in house.accepted] == [(1, False), (2, False)]
    page = await house.store.history(KEY)
    assert page is not None
    assert page.head_seq == 2


async def test_a_full_bus_makes_inputs_wait_and_keeps_their_order(house: House) -> None:
    bus = Faulty(None)
    async with house.router(bus=bus) as router:
        await house.until(lambda: router.worker.owns)
        bus.refusals = 5
        await house.publish(*[a_message_received(f"{n}") for n in range(4)])
        await house.until(lambda: len(house.events) == 4)
    assert [e.seq for e in house.events] == [1, 2, 3, 4]


async def test_what_can_never_be_handled_is_parked_and_its_neighbours_go_on(house: House) -> None:
    empty = a_message_received("x", external_id="c2")
    empty.text = ""
    nobody = MessageReceived(meta=a_meta(session=""), external_message_id="c9", text="hi")
    route = Route(USER_TO_ENGINE_EXCHANGE, "shard.00")
    async with house.router():
        await house.publish(a_message_received("一", external_id="c1"), empty)
        house.outside.publish_nowait(route, nobody)
        await house.publish(a_message_received("三", external_id="c3"))
        await house.until(lambda: len(house.events) == 2)
    causes = await house.causes()
    assert sorted(causes) == [
        "Reject: a message needs a text or a picture",
        "Reject: it names no tenant or no session",
    ]
    assert [e.message.text for e in house.events] == ["一", "三"]


async def test_a_visitor_of_a_channel_has_one_session_and_a_second_is_parked_with_the_reason(house: House) -> None:
    def of_channel(session: str, text: str) -> MessageReceived:
        event = a_message_received(text, session=session)
        event.channel, event.sender.id = "wechat", "openid-7"
        return event

    async with house.router():
        await house.publish(of_channel("ses_a", "你好"))
        await house.until(lambda: len(house.accepted) == 1)
        await house.publish(of_channel("ses_b", "hello"))
        causes = await house.until_parked()
    assert causes == ["Conflict: this visitor of wechat has session ses_a"]


async def test_a_gateway_that_is_gone_is_forgotten(house: House) -> None:
    async with house.router():
        await house.publish(a_message_received("一", gateway="g-gone"))
        await house.until_stored(lambda state: not state.gateways, KEY)
        await house.publish(a_message_received("二", gateway="g1"))
        await house.until(lambda: len(house.events) == 1)
    assert (await house.state(*KEY)).gateways == ("g1",)


async def test_who_only_looks_leaves_no_session_behind(house: House) -> None:
    async with house.router():
        await house.publish(StreamAttached(meta=a_meta(), gateway_id="g1"))
        await house.until(lambda: house.delivered)
        assert house.delivered[0].head_seq == 0
        assert not await house.store.load([KEY])
        await house.publish(a_message_received("一", gateway="g2"))
        await house.until(lambda: house.events)


async def test_a_turn_without_an_answer_falls_back_at_its_deadline(house: House) -> None:
    async with house.router(turn_seconds=45):
        await house.publish(a_message_received("在吗？"))
        await house.until(lambda: house.asked)
        await house.clock.advance(44)
        assert len(house.events) == 1
        await house.until_in_time(lambda: len(house.events) == 3)
    assert house.events[1].message_end.finish_reason == "deadline"
    assert (await house.state(*KEY)).status == WAITING


async def test_timers_survive_a_restart(house: House) -> None:
    async with house.router("r1", turn_seconds=45):
        await house.publish(a_message_received("在吗？"))
        await house.until(lambda: house.asked)
    await house.clock.advance(60)
    async with house.router("r2", turn_seconds=45) as second:
        await house.until(lambda: second.worker.owns)
        await house.until_in_time(lambda: len(house.events) == 3)
    assert house.events[1].message_end.finish_reason == "deadline"


async def test_a_crash_after_a_timer_fired_loses_nothing_of_it(house: House) -> None:
    """Nothing is delivered again here: only the outbox knows what was decided."""
    bus = Faulty(None)
    async with house.router("r1", bus=bus, turn_seconds=45) as first:
        await house.publish(a_message_received("在吗？"))
        await house.until(lambda: house.asked)
        bus.silent = True
        await house.clock.advance(46)
        async with asyncio.timeout(10):
            while (await house.state(*KEY)).status != WAITING:
                await house.clock.advance(1)
                await asyncio.sleep(0.001)
        await first.kill()
    assert len(house.events) == 1
    async with house.router("r2"):
        await house.until(lambda: len(house.events) == 3)
    assert [e.WhichOneof("body") for e in house.events] == ["message", "message_end", "session"]


async def test_silence_closes_a_session(house: House) -> None:
    async with house.router(idle_seconds=600):
        await house.publish(a_message_received("谢谢"))
        await house.until(lambda: house.asked)
        await house.answer(house.asked[0])
        await house.until(lambda: len(house.events) == 2)
        await house.clock.advance(600)
        await house.until_in_time(lambda: len(house.events) == 3)
    assert (await house.state(*KEY)).status == CLOSED


async def test_a_sampled_message_leaves_its_spans_and_everything_it_causes_is_their_child(house: House) -> None:
    event = a_message_received("我要退款")
    event.meta.traceparent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    async with house.router():
        await house.publish(event)
        await house.until(lambda: house.asked)
    spans = {span.name: span for span in house.spans}
    assert set(spans) == {names.WAIT_IN_QUEUE, names.DECIDE, names.COMMIT}
    assert {span.trace_id for span in house.spans} == {"a" * 32}
    decide = spans[names.DECIDE].span_id
    assert house.asked[0].meta.traceparent == f"00-{'a' * 32}-{decide}-01"
    assert house.accepted[0].trace_id == "a" * 32


async def test_an_unsampled_message_leaves_no_span_but_keeps_its_trace(house: House) -> None:
    event = a_message_received("我要退款")
    event.meta.traceparent = "00-" + "a" * 32 + "-" + "b" * 16 + "-00"
    async with house.router():
        await house.publish(event)
        await house.until(lambda: house.asked)
    assert not house.spans
    assert house.asked[0].meta.traceparent == event.meta.traceparent


async def test_sessions_in_one_batch_do_not_disturb_each_other(house: House) -> None:
    failed = TurnFailed(meta=a_meta(session="ses_5"), turn_id="turn_unknown", ownership=1, reason="x")
    async with house.router():
        await house.publish(*[a_message_received(f"{n}", session=f"ses_{n % 20}") for n in range(200)], failed)
        await house.until(lambda: len(house.events) == 200)
    by_session: dict[str, list[int]] = {}
    for deliver in house.delivered:
        by_session.setdefault(deliver.meta.session_id, []).extend(e.seq for e in deliver.events)
    assert all(seqs == list(range(1, 11)) for seqs in by_session.values())
    assert len(by_session) == 20
