"""What survives: a process killed in the middle of group commits, and a crash between a commit and its copy."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

from parley.database.mongo import open_mongo
from parley_session_router.store import SentMark, SessionKey, SessionStore, StoredMessage, dedup_key, open_store
from parley_session_router.store.mongo import MongoStore
from parley_session_router.store.mongo_documents import MESSAGES, message_document
from parley_session_router.store.mongo_inbox import LEASE_SECONDS
from tests.contract.store.decisions import TENANT, after, an_event, opening

KEY = SessionKey(TENANT, "ses_1")
MAIL = dedup_key("mail", "<退款@shop.example>")

_WRITER = """
import asyncio, sys
from parley_session_router.store import open_store
from tests.contract.store.decisions import after, opening

async def push(store, number):
    commit = opening(f"ses_{number}")
    while True:
        assert await store.commit([commit]) == [True]
        print(number, commit.record.version, flush=True)
        commit = after(commit.record)

async def main():
    async with open_store(sys.argv[1]) as store:
        await asyncio.gather(*(push(store, number) for number in range(16)))

asyncio.run(main())
"""


@pytest.mark.faults
async def test_every_acknowledged_commit_survives_a_kill_in_the_middle_of_group_commits(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'parley.db'}"
    for round_ in range(1, 4):
        acknowledged = await _write_until_killed(f"{url}.{round_}", lines=400 * round_)
        async with open_store(f"{url}.{round_}") as store:
            for number, version in acknowledged.items():
                key = SessionKey(TENANT, f"ses_{number}")
                record = (await store.load([key]))[key]
                assert record.version in {version, version + 1}  # the last may be stored without its answer
                page = await store.history(key, after_seq=max(0, record.head_seq - 300), limit=300)
                assert page is not None
                assert page.head_seq == record.version
                assert page.entries[-1].seq == record.version
                assert len(page.entries) == min(300, record.version)


async def _write_until_killed(url: str, *, lines: int) -> dict[int, int]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in [*sys.path, str(Path.cwd())] if entry)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WRITER, url), stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    acknowledged: dict[int, int] = {}
    async with asyncio.timeout(60):
        for _ in range(lines):
            number, version = (await process.stdout.readline()).split()
            acknowledged[int(number)] = int(version)
        process.send_signal(signal.SIGKILL)
        for line in (await process.stdout.read()).splitlines(keepends=True):
            if line.endswith(b"\n"):
                number, version = line.split()
                acknowledged[int(number)] = int(version)
        await process.wait()
    assert len(acknowledged) == 16
    return acknowledged


@contextlib.asynccontextmanager
async def a_router_that_never_copies(url: str) -> AsyncIterator[MongoStore]:
    """Commits, and dies before any copy: its indexes are made, its copier does not run."""
    async with open_store(url):
        pass
    async with open_mongo(url) as database:
        yield MongoStore(database)


async def leave_uncopied(store: MongoStore) -> None:
    first = opening(messages=2, channel="wechat", external_id="李四", pending=(an_event(1),))
    second = after(first.record, key=MAIL, outgoing=True)
    third = after(second.record, outgoing=True)
    for commit in (first, second, third):
        assert await store.commit([commit]) == [True]


async def assert_whole(store: SessionStore) -> None:
    page = await store.history(KEY)
    assert page is not None
    assert [entry.seq for entry in page.entries] == [1, 2, 3, 4]
    assert [entry.message_id for entry in page.entries] == ["msg_1", "msg_2", "msg_3", "msg_4"]
    assert set(await store.find_duplicates(KEY, [MAIL])) == {MAIL}
    sent = await store.channel_outbox(TENANT, "wechat")
    assert [(item.recipient, item.entry.seq) for item in sent] == [("李四", 3), ("李四", 4)]


@pytest.mark.connected
async def test_before_the_copy_history_and_repeats_are_read_from_the_session(database_url: str) -> None:
    async with a_router_that_never_copies(database_url) as dead:
        await leave_uncopied(dead)
    async with a_router_that_never_copies(database_url) as reader:
        page = await reader.history(KEY)
        assert page is not None
        assert [entry.seq for entry in page.entries] == [1, 2, 3, 4]
        assert set(await reader.find_duplicates(KEY, [MAIL])) == {MAIL}


@pytest.mark.connected
async def test_a_crash_between_commit_and_copy_loses_and_doubles_nothing(database_url: str) -> None:
    async with a_router_that_never_copies(database_url) as dead:
        await leave_uncopied(dead)
    async with open_store(database_url) as successor:
        assert await successor.copy_tails(3) == 1
        await assert_whole(successor)
        assert await successor.copy_tails(3) == 0
        assert len(await successor.pending(3)) == 1


@pytest.mark.connected
async def test_a_crash_in_the_middle_of_a_copy_loses_and_doubles_nothing(database_url: str) -> None:
    async with a_router_that_never_copies(database_url) as dead:
        await leave_uncopied(dead)
        page = await dead.history(KEY)
        assert page is not None
        async with open_mongo(database_url) as database:  # one message had been copied, nothing else
            await database.collection(MESSAGES).insert_one(message_document(KEY, page.entries[2]))
    async with open_store(database_url) as successor:
        await successor.copy_tails(3)
        await assert_whole(successor)


@pytest.mark.connected
async def test_a_copy_that_was_not_cleared_is_harmless(database_url: str) -> None:
    async with a_router_that_never_copies(database_url) as dead:
        await leave_uncopied(dead)
        await dead.copier.copy()  # dies before the document is cleared
    async with open_store(database_url) as successor:
        await successor.copy_tails(3)
        await assert_whole(successor)


@pytest.mark.connected
async def test_who_clears_late_does_not_clear_what_another_has_written_since(database_url: str) -> None:
    async with a_router_that_never_copies(database_url) as slow, a_router_that_never_copies(database_url) as dead:
        first = opening(pending=(an_event(1),))
        await slow.commit([first])
        await slow.copier.copy()
        await slow.clear_outbox([SentMark(TENANT, "ses_1", 1)])
        (found,) = (await dead.load([KEY])).values()
        second = after(found, pending=(an_event(2),))
        assert await dead.commit([second]) == [True]
        await slow.copier.clear()
    async with open_store(database_url) as successor:
        assert await successor.pending(3) == [second.record]
        await successor.copy_tails(3)
        page = await successor.history(KEY)
        assert page is not None
        assert [entry.seq for entry in page.entries] == [1, 2]


@pytest.mark.connected
async def test_commits_go_on_upon_a_tail_that_somebody_else_left(database_url: str) -> None:
    async with a_router_that_never_copies(database_url) as dead:
        await leave_uncopied(dead)
    async with open_store(database_url) as successor:
        (found,) = (await successor.load([KEY])).values()
        for _ in range(20):
            commit = after(found)
            assert await successor.commit([commit]) == [True]
            found = commit.record
        await successor.copy_tails()
    async with open_store(database_url) as later:
        page = await later.history(KEY)
        assert page is not None
        assert [entry.seq for entry in page.entries] == list(range(1, 25))


@pytest.mark.connected
async def test_two_routers_that_copy_the_same_tail_at_once_log_it_once(database_url: str) -> None:
    async with a_router_that_never_copies(database_url) as dead:
        await leave_uncopied(dead)
    async with open_store(database_url) as one, open_store(database_url) as two:
        await asyncio.gather(one.copy_tails(3), two.copy_tails(3))
        await assert_whole(one)


@pytest.mark.connected
async def test_a_repeat_is_refused_while_nothing_was_ever_copied(database_url: str) -> None:
    async with a_router_that_never_copies(database_url) as dead:
        await leave_uncopied(dead)
        (found,) = (await dead.load([KEY])).values()
        assert await dead.commit([after(found, key=MAIL)]) == [False]
    async with a_router_that_never_copies(database_url) as successor:
        assert await successor.commit([after(found, key=MAIL)]) == [False]


@pytest.mark.connected
async def test_one_message_in_two_sessions_is_stored_in_one_before_anything_is_copied(database_url: str) -> None:
    async with a_router_that_never_copies(database_url) as one, a_router_that_never_copies(database_url) as two:
        first, second = opening("ses_1"), opening("ses_2")
        await one.commit([first, second])
        assert await one.commit([after(first.record, key=MAIL)]) == [True]
        assert await two.commit([after(second.record, key=MAIL)]) == [False]
        found = await two.find_duplicates(second.record.at, [MAIL])
        assert found == {MAIL: StoredMessage("ses_1", "msg_2", 2)}


@pytest.mark.connected
async def test_a_claim_whose_owner_died_before_its_write_is_free_after_the_lease_and_not_before(
    database_url: str,
) -> None:
    async with a_router_that_never_copies(database_url) as dead, open_store(database_url) as successor:
        first, second = opening("ses_1"), opening("ses_2")
        await successor.commit([first, second])
        stale = after(structs.replace(first.record, version=7), key=MAIL)
        await dead.load([first.record.at])
        assert await dead.commit([stale]) == [False], "the claim is made, the write matches nothing"
        early, late = (after(second.record, key=MAIL, changed_at=100 + LEASE_SECONDS + more) for more in (-1, 0))
        assert await successor.commit([early]) == [False]
        assert await successor.commit([late]) == [True]
        assert await successor.commit([after(first.record, key=MAIL)]) == [False]


@pytest.mark.connected
async def test_a_claim_that_was_used_is_never_free(database_url: str) -> None:
    async with a_router_that_never_copies(database_url) as dead, open_store(database_url) as successor:
        first, second = opening("ses_1"), opening("ses_2")
        await dead.commit([first, second])
        assert await dead.commit([after(first.record, key=MAIL)]) == [True]
        years_later = after(second.record, key=MAIL, changed_at=1e9)
        assert await successor.commit([years_later]) == [False]
