from parley_session_router.store import SentMark, SessionKey, SessionStore, open_store
from tests.contract.store.decisions import TENANT, after, an_event, opening

KEY = SessionKey(TENANT, "ses_1")


async def test_unsent_events_are_found_until_they_are_marked(store: SessionStore) -> None:
    quiet, busy = opening("ses_quiet"), opening("ses_1", pending=(an_event(1), an_event(2)))
    elsewhere = opening("ses_2", shard=4, pending=(an_event(1),))
    await store.commit([quiet, busy, elsewhere])
    assert await store.pending(3) == [busy.record]
    await store.clear_outbox([SentMark(TENANT, "ses_1", 1)])
    assert await store.pending(3) == []
    assert await store.pending(4) == [elsewhere.record]
    assert (await store.load([KEY]))[KEY].pending == ()


async def test_a_late_mark_does_not_touch_a_newer_outbox(store: SessionStore) -> None:
    first = opening(pending=(an_event(1),))
    await store.commit([first])
    second = after(first.record, pending=(an_event(2),))
    await store.commit([second])
    await store.clear_outbox([SentMark(TENANT, "ses_1", 1), SentMark("nobody", "ses_1", 1)])
    await store.copy_tails()
    assert await store.pending(3) == [second.record]


async def test_marked_sessions_take_further_commits(store: SessionStore) -> None:
    first = opening(pending=(an_event(1),))
    await store.commit([first])
    await store.clear_outbox([SentMark(TENANT, "ses_1", 1)])
    await store.copy_tails()
    second = after(first.record, pending=())
    assert await store.commit([second]) == [True]
    assert await store.pending(3) == []


async def test_pending_is_given_in_portions(store: SessionStore) -> None:
    await store.commit([opening(f"ses_{n}", pending=(an_event(1),)) for n in range(7)])
    seen: set[str] = set()
    while found := await store.pending(3, 3):
        assert len(found) <= 3
        seen |= {record.session for record in found}
        await store.clear_outbox([SentMark(TENANT, record.session, record.version) for record in found])
    assert seen == {f"ses_{n}" for n in range(7)}


async def test_timers_come_longest_due_first(store: SessionStore) -> None:
    late, early = opening("ses_late", due_at=300.0), opening("ses_early", due_at=200.0)
    never, elsewhere = opening("ses_never"), opening("ses_elsewhere", due_at=1.0, shard=4)
    await store.commit([late, never, elsewhere, early])
    assert await store.next_due(3) == 200.0
    assert await store.due(3, 199.0) == []
    assert await store.due(3, 200.0) == [early.record]
    assert await store.due(3, 1000.0) == [early.record, late.record]
    assert await store.due(3, 1000.0, 1) == [early.record]
    await store.commit([after(early.record, due_at=None), after(late.record, due_at=None)])
    assert await store.next_due(3) is None
    assert await store.next_due(9) is None


async def test_a_successor_finds_and_finishes_what_was_left(url: str) -> None:
    async with open_store(url) as store:
        await store.commit([opening(f"ses_{n}", messages=3, pending=(an_event(1),)) for n in range(5)])
    async with open_store(url) as successor:
        await successor.copy_tails(3)
        assert len(await successor.pending(3)) == 5
        for number in range(5):
            page = await successor.history(SessionKey(TENANT, f"ses_{number}"))
            assert page is not None
            assert [entry.seq for entry in page.entries] == [1, 2, 3]


async def test_those_who_wait_for_a_person_are_counted_by_shard(store: SessionStore) -> None:
    assert await store.waiting(3) == 0
    first = opening("ses_1", status="waiting", waiting_since=100.0)
    await store.commit([first, opening("ses_2", status="waiting"), opening("ses_3"), opening("ses_4", shard=4)])
    assert (await store.waiting(3), await store.waiting(4)) == (2, 0)
    await store.commit([after(first.record, status="assigned")])
    assert await store.waiting(3) == 1
