import asyncio

import pytest

from parley.core import Invalid
from parley_session_router.store import SessionKey, SessionStore, open_store
from tests.contract.store.decisions import TENANT, after, opening

KEY = SessionKey(TENANT, "ses_1")


async def read(store: SessionStore, **window: int | None) -> list[int]:
    page = await store.history(KEY, **window)  # type: ignore[arg-type]  # named arguments of the page
    assert page is not None
    assert (page.epoch, page.head_seq) == (7, 12)
    return [entry.seq for entry in page.entries]


async def test_history_is_read_forwards_and_backwards(store: SessionStore) -> None:
    first = opening(messages=10, epoch=7)
    await store.commit([first])
    await store.copy_tails()
    second = after(first.record)
    await store.commit([second])
    await store.commit([after(second.record)])
    assert await read(store) == list(range(1, 13))
    assert await read(store, after_seq=9) == [10, 11, 12]
    assert await read(store, after_seq=8, limit=2) == [9, 10]
    assert await read(store, after_seq=12) == []
    assert await read(store, after_seq=99) == []
    assert await read(store, before_seq=4) == [1, 2, 3]
    assert await read(store, before_seq=11, limit=3) == [8, 9, 10]
    assert await read(store, before_seq=99, limit=2) == [11, 12]
    assert await read(store, before_seq=1) == []
    assert await read(store, before_seq=6, after_seq=3) == [4, 5]


async def test_history_of_nobody_is_none(store: SessionStore) -> None:
    assert await store.history(SessionKey(TENANT, "nobody")) is None
    assert await store.history(SessionKey("别家", "ses_1")) is None


async def test_history_is_whole_at_every_moment_of_a_copy(store: SessionStore) -> None:
    commit = opening()
    await store.commit([commit])
    for _ in range(30):
        commit = after(commit.record)
        await store.commit([commit])
        page, _ = await asyncio.gather(store.history(KEY, limit=300), store.copy_tails())
        assert page is not None
        assert [entry.seq for entry in page.entries] == list(range(1, commit.record.head_seq + 1))


async def test_those_who_wait_longest_come_first(store: SessionStore) -> None:
    await store.commit([opening("ses_b", status="waiting", waiting_since=500.0, opened_at=1.0)])
    await store.commit([opening("ses_a", status="waiting", waiting_since=400.0, opened_at=399.0)])
    await store.commit([opening("ses_c", opened_at=50.0), opening("ses_d", tenant="别家", status="waiting")])
    page = await store.list_sessions(TENANT, status="waiting")
    assert [found.session for found in page.sessions] == ["ses_a", "ses_b"]
    assert page.next == ""
    everyone = await store.list_sessions(TENANT)
    assert [found.session for found in everyone.sessions] == ["ses_c", "ses_a", "ses_b"]
    assert (await store.list_sessions("nobody")).sessions == ()


async def test_a_listing_goes_on_behind_its_cursor(store: SessionStore) -> None:
    names = [f"ses_{n:02}" for n in range(11)]
    await store.commit([opening(name, opened_at=float(n // 3)) for n, name in enumerate(names)])
    seen: list[str] = []
    after_cursor = ""
    while True:
        page = await store.list_sessions(TENANT, status="open", after=after_cursor, limit=4)
        seen += [found.session for found in page.sessions]
        if not (after_cursor := page.next):
            break
    assert seen == names


@pytest.mark.parametrize("cursor", ["x", "!!!", "kwEC", "游标", "A" * 5000])
async def test_a_strange_cursor_is_refused(store: SessionStore, cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        await store.list_sessions(TENANT, after=cursor)
    with pytest.raises(Invalid, match="cursor"):
        await store.channel_outbox(TENANT, "wechat", cursor=cursor)


async def test_a_channel_is_given_what_it_must_send_in_order(store: SessionStore) -> None:
    one = opening("ses_1", channel="wechat", external_id="李四")
    two = opening("ses_2", channel="wechat", external_id="王五")
    other = opening("ses_3", channel="telegram", external_id="李四")
    await store.commit([one, two, other])
    for commit in (
        after(one.record, outgoing=True),
        after(two.record, outgoing=True),
        after(other.record, outgoing=True),
    ):
        await store.commit([commit])
        await store.copy_tails()
    found = await store.channel_outbox(TENANT, "wechat")
    assert [(item.session, item.recipient, item.entry.seq) for item in found] == [
        ("ses_1", "李四", 2),
        ("ses_2", "王五", 2),
    ]
    assert [item.entry.payload for item in found] == ["您好 2".encode()] * 2
    assert await store.channel_outbox(TENANT, "wechat", cursor=found[0].cursor) == found[1:]
    assert await store.channel_outbox(TENANT, "wechat", cursor=found[1].cursor) == []
    assert await store.channel_outbox(TENANT, "wechat", limit=1) == found[:1]
    assert await store.channel_outbox("别家", "wechat") == []


async def test_nobody_who_polls_a_channel_misses_an_entry_or_gets_it_twice(url: str, store: SessionStore) -> None:
    """Two routers write, their copies race, and a reader follows with its cursor all the while."""
    sessions, rounds = 6, 8
    async with open_store(url) as other:

        async def write(router: SessionStore, number: int) -> None:
            commit = opening(f"ses_{number}", channel="wechat", external_id=f"访客-{number}")
            await router.commit([commit])
            for _ in range(rounds):
                commit = after(commit.record, outgoing=True)
                await router.commit([commit])

        async def read_on() -> list[tuple[str, int]]:
            seen: list[tuple[str, int]] = []
            cursor = ""
            async with asyncio.timeout(30):
                while len(seen) < sessions * rounds:
                    for item in await other.channel_outbox(TENANT, "wechat", cursor=cursor, limit=5):
                        seen.append((item.session, item.entry.seq))
                        cursor = item.cursor
            assert await other.channel_outbox(TENANT, "wechat", cursor=cursor) == []
            return seen

        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read_on())
            for number in range(sessions):
                group.create_task(write(store if number % 2 else other, number))
    seen = reading.result()
    assert len(set(seen)) == len(seen) == sessions * rounds
    for number in range(sessions):
        assert [seq for session, seq in seen if session == f"ses_{number}"] == list(range(2, rounds + 2))
