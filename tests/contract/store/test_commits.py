import asyncio

import pytest
from msgspec import structs

from parley.core import SettingsError
from parley_session_router.store import SessionKey, SessionStore, open_store
from tests.contract.store.decisions import TENANT, a_message, a_record, after, an_event, opening

KEY = SessionKey(TENANT, "ses_1")


async def seqs(store: SessionStore, key: SessionKey = KEY) -> list[int]:
    page = await store.history(key, limit=300)
    assert page is not None
    return [entry.seq for entry in page.entries]


async def test_a_commit_is_read_back_as_it_was(store: SessionStore) -> None:
    record = a_record(
        head_seq=1,
        external_id="openid-张三",
        agent="key_1",
        status="waiting",
        waiting_since=140.5,
        due_at=200.25,
        pending=(an_event(1), an_event(2)),
        recent_ids=b"\x00\xff",
        state=bytes(range(256)),
    )
    commit = structs.replace(opening(), record=record)
    assert await store.commit([commit]) == [True]
    assert await store.load([KEY, SessionKey(TENANT, "nobody"), SessionKey("other", "ses_1")]) == {KEY: record}


async def test_a_second_commit_replaces_the_first(store: SessionStore) -> None:
    first = opening(pending=(an_event(1),))
    second = after(first.record, status="assigned", pending=(an_event(2),))
    await store.commit([first])
    assert await store.commit([second]) == [True]
    assert (await store.load([KEY]))[KEY] == second.record
    assert await seqs(store) == [1, 2]


async def test_a_stale_commit_is_refused_and_leaves_nothing(store: SessionStore) -> None:
    first = opening()
    await store.commit([first])
    winner, late = after(first.record, status="assigned"), after(first.record, status="closed")
    assert await store.commit([winner]) == [True]
    assert await store.commit([late]) == [False]
    assert await store.commit([opening()]) == [False]
    assert (await store.load([KEY]))[KEY].status == "assigned"
    assert await seqs(store) == [1, 2]


async def test_a_stale_commit_without_entries_is_refused_too(store: SessionStore) -> None:
    first = opening()
    winner = after(first.record, status="assigned")
    late = structs.replace(after(first.record, status="closed"), entries=())
    early = structs.replace(after(winner.record, version=9), entries=())
    for commit in (first, winner):
        await store.commit([commit])
    assert await store.commit([late]) == [False]
    assert await store.commit([early]) == [False]
    assert (await store.load([KEY]))[KEY] == winner.record


async def test_a_commit_upon_a_session_that_is_not_there_is_refused(store: SessionStore) -> None:
    assert await store.commit([after(a_record(head_seq=4, version=7))]) == [False]
    assert await store.load([KEY]) == {}
    assert await store.history(KEY) is None


async def test_the_stale_ones_of_a_batch_do_not_hold_up_the_others(store: SessionStore) -> None:
    old = [opening(f"ses_{n}") for n in range(1, 9)]
    assert await store.commit(old) == [True] * 8
    overtaken = after(old[3].record)
    await store.commit([overtaken])
    batch = [after(commit.record) for commit in old] + [opening("ses_new")]
    assert await store.commit(batch) == [True, True, True, False, True, True, True, True, True]
    for number in range(1, 9):
        assert await seqs(store, SessionKey(TENANT, f"ses_{number}")) == [1, 2]


async def test_an_empty_batch_is_nothing(store: SessionStore) -> None:
    assert await store.commit([]) == []
    assert await store.load([]) == {}
    await store.clear_outbox([])


async def test_sessions_of_two_tenants_may_have_the_same_id(store: SessionStore) -> None:
    mine, theirs = opening(messages=2), opening(messages=1, tenant="别家")
    assert await store.commit([mine, theirs]) == [True, True]
    assert await seqs(store) == [1, 2]
    assert await seqs(store, SessionKey("别家", "ses_1")) == [1]


async def test_of_sixteen_writers_of_one_version_exactly_one_wins_in_a_hundred_rounds_of_a_hundred(
    url: str, store: SessionStore
) -> None:
    async with open_store(url) as other_router:
        commit = opening()
        await store.commit([commit])
        for _ in range(100):
            found = (await store.load([KEY]))[KEY]
            await other_router.load([KEY])
            tries = [after(found, agent=f"writer-{n}") for n in range(16)]
            won = await asyncio.gather(
                *((store if n % 2 else other_router).commit([one]) for n, one in enumerate(tries))
            )
            assert sorted(won) == [[False]] * 15 + [[True]]
            winner = tries[won.index([True])].record
            assert (await store.load([KEY]))[KEY] == winner
        assert await seqs(store) == list(range(1, 102))


async def test_of_sixteen_first_commits_exactly_one_wins(store: SessionStore) -> None:
    for number in range(20):
        session = f"ses_first_{number}"
        won = await asyncio.gather(*(store.commit([opening(session, agent=f"a{n}")]) for n in range(16)))
        assert sorted(won) == [[False]] * 15 + [[True]]
        assert await seqs(store, SessionKey(TENANT, session)) == [1]


async def test_epochs_rise_by_one_and_are_never_given_twice(url: str, store: SessionStore) -> None:
    async with open_store(url) as other_router:
        claimed = await asyncio.gather(*((store if n % 2 else other_router).claim_shard(3) for n in range(10)))
        assert sorted(claimed) == list(range(1, 11))
        assert await store.claim_shard(4) == 1


async def test_a_paused_owner_that_wakes_up_is_refused_after_a_takeover(url: str, store: SessionStore) -> None:
    old = await store.claim_shard(3)
    commit = opening(shard_epoch=old)
    assert await store.commit([commit]) == [True]
    async with open_store(url) as new_owner:
        new = await new_owner.claim_shard(3)
        (found,) = (await new_owner.load([KEY])).values()
        assert await new_owner.commit([after(found, shard_epoch=new, agent="new")]) == [True]
        # with what it remembers, and with what it would read now
        assert await store.commit([after(commit.record, shard_epoch=old)]) == [False]
        (now,) = (await store.load([KEY])).values()
        assert await store.commit([after(now, shard_epoch=old)]) == [False]
        (kept,) = (await new_owner.load([KEY])).values()
        assert (kept.agent, kept.shard_epoch, kept.version) == ("new", new, 2)
        assert await seqs(new_owner) == [1, 2]


async def test_two_owners_write_in_turns_without_loss(url: str, store: SessionStore) -> None:
    """Both believe that they own the shard: each step is taken once, whoever takes it."""
    await store.commit([opening()])
    async with open_store(url) as other:

        async def push(router: SessionStore, steps: int) -> int:
            taken = 0
            while taken < steps:
                (found,) = (await router.load([KEY])).values()
                taken += sum(await router.commit([after(found)]))
            return taken

        assert sum(await asyncio.gather(push(store, 20), push(other, 20))) == 40
        assert await seqs(store) == list(range(1, 42))
        assert await seqs(other) == list(range(1, 42))


async def test_the_number_of_shards_is_fixed_by_the_first_start(url: str, store: SessionStore) -> None:
    await store.check_shards(16)
    async with open_store(url) as again:
        await again.check_shards(16)
        with pytest.raises(SettingsError, match="PARLEY_SHARDS=16"):
            await again.check_shards(64)


async def test_large_states_and_many_entries_are_kept(store: SessionStore) -> None:
    entries = tuple(a_message(seq, text="很长的一段话" * 200) for seq in range(1, 201))
    big = structs.replace(opening(), record=a_record(head_seq=200, state=b"\x00\xff" * 200_000), entries=entries)
    assert await store.commit([big]) == [True]
    assert (await store.load([KEY]))[KEY] == big.record
    page = await store.history(KEY, limit=300)
    assert page is not None
    assert page.entries == entries


async def test_ping_answers(store: SessionStore) -> None:
    await store.ping()
