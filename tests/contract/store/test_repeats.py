import asyncio

from parley_session_router.store import (
    RECENT_IDS,
    SessionKey,
    SessionStore,
    StoredMessage,
    dedup_key,
    open_store,
    visitor_session,
)
from tests.contract.store.decisions import TENANT, after, opening, web_key

KEY = SessionKey(TENANT, "ses_1")
MAIL = dedup_key("mail", "<订单-7@shop.example>")


async def test_a_message_is_found_again_for_ever(url: str, store: SessionStore) -> None:
    first = opening()
    await store.commit([first])
    await store.commit([after(first.record, key=MAIL)])
    expected = {MAIL: StoredMessage("ses_1", "msg_2", 2)}
    assert await store.find_duplicates(KEY, [MAIL, "mail\x1f\x1fother"]) == expected
    await store.copy_tails()
    assert await store.find_duplicates(KEY, [MAIL]) == expected
    async with open_store(url) as another:
        assert await another.find_duplicates(KEY, [MAIL]) == expected
        assert await another.find_duplicates(SessionKey(TENANT, "ses_other"), [MAIL]) == expected


async def test_another_tenants_message_is_not_a_repeat(store: SessionStore) -> None:
    first = opening()
    await store.commit([first, opening(tenant="别家")])
    await store.commit([after(first.record, key=MAIL)])
    await store.copy_tails()
    assert await store.find_duplicates(SessionKey("别家", "ses_1"), [MAIL]) == {}
    (theirs,) = (await store.load([SessionKey("别家", "ses_1")])).values()
    assert await store.commit([after(theirs, key=MAIL)]) == [True]


async def test_a_known_message_refuses_its_own_decision_only(store: SessionStore) -> None:
    openings = [opening("ses_1"), opening("ses_2"), opening("ses_3")]
    await store.commit(openings)
    first, second, third = (commit.record for commit in openings)
    assert await store.commit([after(first, key=MAIL)]) == [True]
    await store.copy_tails()
    assert await store.commit([after(second, key=MAIL), after(third, key="mail\x1f\x1fnew")]) == [False, True]
    (untouched,) = (await store.load([SessionKey(TENANT, "ses_2")])).values()
    assert untouched == second


async def test_one_message_twice_in_a_batch_is_stored_once(store: SessionStore) -> None:
    openings = [opening("ses_1"), opening("ses_2")]
    await store.commit(openings)
    assert await store.commit([after(one.record, key=MAIL) for one in openings]) == [True, False]


async def test_a_repeat_further_back_than_the_session_remembers_is_refused_before_and_after_it_was_copied(
    store: SessionStore,
) -> None:
    first = opening()
    await store.commit([first])
    original = after(first.record, key=web_key("ses_1", "c0"))
    await store.commit([original])
    record = original.record
    for number in range(1, RECENT_IDS + 2):
        commit = after(record, key=web_key("ses_1", f"c{number}"))
        record = commit.record
        repeat = after(record, key=web_key("ses_1", "c0"))
        assert await store.commit([commit]) == [True]
    for _ in range(2):
        assert await store.commit([repeat]) == [False]
        assert await store.find_duplicates(KEY, [web_key("ses_1", "c0")]) == {
            web_key("ses_1", "c0"): StoredMessage("ses_1", "msg_2", 2)
        }
        await store.copy_tails()


async def test_one_message_in_many_sessions_at_once_is_stored_in_one(url: str, store: SessionStore) -> None:
    async with open_store(url) as another:
        openings = [opening(f"ses_{number}") for number in range(20)]
        await store.commit(openings)
        keys = [dedup_key("telegram", f"订单-{number}") for number in range(20)]
        rounds = []
        for key in keys:
            await another.load([one.record.at for one in openings])
            tried = [(store, another)[n % 2].commit([after(one.record, key=key)]) for n, one in enumerate(openings)]
            won = [n for n, stored in enumerate(await asyncio.gather(*tried)) if stored == [True]]
            rounds.append(len(won))
            winner = openings[won[0]]
            where = (await another.find_duplicates(KEY, [key]))[key]
            assert (where.session, where.seq) == (winner.record.session, winner.record.head_seq + 1)
            openings[won[0]] = after(winner.record, key=key)
        assert rounds == [1] * 20


async def test_who_was_refused_is_told_where_the_first_copy_is_at_once(store: SessionStore) -> None:
    openings = [opening("ses_1"), opening("ses_2")]
    await store.commit(openings)
    for number in range(20):
        key = dedup_key("mail", f"<{number}@shop.example>")
        stored = await asyncio.gather(*(store.commit([after(one.record, key=key)]) for one in openings))
        refused = stored.index([False])
        winner = openings[1 - refused].record
        found = await store.find_duplicates(openings[refused].record.at, [key])
        assert found == {key: StoredMessage(winner.session, f"msg_{winner.head_seq + 1}", winner.head_seq + 1)}
        openings[1 - refused] = after(winner, key=key)


async def test_ids_of_web_clients_are_their_own(store: SessionStore) -> None:
    openings = [opening("ses_1"), opening("ses_2")]
    await store.commit(openings)
    commits = [after(one.record, key=web_key(one.record.session, "1")) for one in openings]
    assert await store.commit(commits) == [True, True]


async def test_a_channels_visitor_has_one_session(store: SessionStore) -> None:
    assert await store.resolve(TENANT, "wechat", "openid-李四") is None
    first = opening("ses_1", channel="wechat", external_id="openid-李四")
    second = opening("ses_2", channel="wechat", external_id="openid-李四")
    elsewhere = opening("ses_3", channel="telegram", external_id="openid-李四")
    won = await asyncio.gather(store.commit([first]), store.commit([second]), store.commit([elsewhere]))
    assert sorted(won[:2]) == [[False], [True]]
    assert won[2] == [True]
    assert await store.resolve(TENANT, "wechat", "openid-李四") == ("ses_1" if won[0] == [True] else "ses_2")
    assert await store.resolve("别家", "wechat", "openid-李四") is None


async def test_visitors_without_an_id_have_as_many_sessions_as_they_open(store: SessionStore) -> None:
    assert await store.commit([opening("ses_1"), opening("ses_2")]) == [True, True]
    assert await store.resolve(TENANT, "web", "") is None


def test_the_session_of_a_channels_visitor_is_the_same_on_every_machine() -> None:
    assert visitor_session(TENANT, "wechat", "openid-李四") == "ses_9ep6irb21o8i50p7k6rt17tc"
    assert visitor_session("别家", "wechat", "openid-李四") != visitor_session(TENANT, "wechat", "openid-李四")
