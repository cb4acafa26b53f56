import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from parley.core import Conflict, Unavailable
from parley.database import SqliteDatabase, open_database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "数据" / "parley.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[SqliteDatabase]:
    async with open_database(f"sqlite:///{path}") as opened:
        assert isinstance(opened, SqliteDatabase)
        await opened.write(lambda c: c.execute("CREATE TABLE words (word TEXT PRIMARY KEY)") and None)
        yield opened


def adding(word: str) -> Callable[[sqlite3.Connection], str]:
    def work(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO words VALUES (?)", (word,))
        return word

    return work


async def words(database: SqliteDatabase) -> list[str]:
    rows = await database.read(lambda c: c.execute("SELECT word FROM words ORDER BY word").fetchall())
    return [row[0] for row in rows]


class Held:
    """Keeps the writer busy, so that what follows waits together."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._free = threading.Event()

    async def __aenter__(self) -> None:
        busy = threading.Event()

        def hold(_: sqlite3.Connection) -> bool:
            busy.set()
            return self._free.wait(5)

        self._task = asyncio.create_task(self._database.write(hold))
        await asyncio.to_thread(busy.wait, 5)

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().call_soon(self._free.set)
        await self._task


async def write_together(
    database: SqliteDatabase, *works: Callable[[sqlite3.Connection], object]
) -> list[object | BaseException]:
    async with Held(database):
        tasks = [asyncio.create_task(database.write(work)) for work in works]
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_each_caller_gets_its_own_answer(database: SqliteDatabase) -> None:
    assert await write_together(database, *(adding(f"词{n}") for n in range(20))) == [f"词{n}" for n in range(20)]
    assert len(await words(database)) == 20


async def test_what_waits_together_is_one_transaction(database: SqliteDatabase) -> None:
    statements: list[str] = []
    await database.write(lambda c: c.set_trace_callback(statements.append))
    await write_together(database, *(adding(f"词{n}") for n in range(20)))
    await database.write(lambda c: c.set_trace_callback(None))
    together = [s for s in statements if s.startswith(("BEGIN", "COMMIT", "INSERT"))]
    first = together.index(next(s for s in together if s.startswith("INSERT")))
    assert [s.split()[0] for s in together[first - 1 : first + 21]] == ["BEGIN", *["INSERT"] * 20, "COMMIT"]


async def test_one_callers_failure_undoes_its_own_statements_and_harms_nobody(database: SqliteDatabase) -> None:
    def fails_late(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO words VALUES ('半途')")
        raise ValueError("后来才错")

    first, failed, doubled, last = await write_together(database, adding("先"), fails_late, adding("先"), adding("后"))
    assert (first, last) == ("先", "后")
    assert isinstance(failed, ValueError)
    assert isinstance(doubled, Conflict)
    assert await words(database) == sorted(["先", "后"])


async def test_an_answer_means_that_another_process_can_read_it(database: SqliteDatabase, path: Path) -> None:
    await database.write(adding("退款"))
    other = sqlite3.connect(path)
    assert other.execute("SELECT word FROM words").fetchall() == [("退款",)]
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    assert await database.write(lambda c: c.execute("PRAGMA synchronous").fetchone()) == (2,)


async def test_nothing_runs_on_the_event_loop(database: SqliteDatabase) -> None:
    here = threading.get_ident()
    assert await database.write(lambda _: threading.get_ident()) != here
    assert await database.read(lambda _: threading.get_ident()) != here


async def test_readers_cannot_write(database: SqliteDatabase) -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        await database.read(adding("偷写"))


async def test_a_caller_that_gave_up_before_its_turn_writes_nothing(database: SqliteDatabase) -> None:
    async with Held(database):
        task = asyncio.create_task(database.write(adding("算了")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await database.write(adding("继续"))
    assert await words(database) == ["继续"]


async def test_closing_finishes_what_is_queued(path: Path) -> None:
    async with open_database(f"sqlite:///{path}") as database:
        assert isinstance(database, SqliteDatabase)
        await database.write(lambda c: c.execute("CREATE TABLE words (word TEXT PRIMARY KEY)") and None)
        tasks = [asyncio.create_task(database.write(adding(f"词{n}"))) for n in range(50)]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*tasks)) == 50
    with pytest.raises(Unavailable, match="closed"):
        await database.write(adding("太晚"))


async def test_a_full_disk_is_said_and_room_on_it_heals(database: SqliteDatabase) -> None:
    pages = await database.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    with pytest.raises(Unavailable, match="full; make room"):
        await database.write(adding("长" * 100_000))
    await database.write(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchone())
    await database.write(adding("有地方了"))
    assert await words(database) == ["有地方了"]


async def test_a_full_disk_for_one_of_a_group_harms_nobody_who_fits(database: SqliteDatabase) -> None:
    pages = await database.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone())
    small, huge, after = await write_together(database, adding("小"), adding("长" * 100_000), adding("也小"))
    assert isinstance(huge, Unavailable)
    for word, outcome in (("小", small), ("也小", after)):
        stored = word in await words(database)
        assert stored == (outcome == word)
        assert stored or isinstance(outcome, Unavailable)


async def test_a_file_that_another_process_holds_is_unavailable_and_then_goes_on(
    database: SqliteDatabase, path: Path
) -> None:
    await database.write(lambda c: c.execute("PRAGMA busy_timeout = 20").fetchone())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked by another process"):
        await database.write(adding("等"))
    with pytest.raises(Unavailable, match="locked by another process"):
        await database.ping()
    other.execute("ROLLBACK")
    other.close()
    await database.ping()
    assert await database.write(adding("好")) == "好"


async def test_services_of_one_process_share_a_files_writer(path: Path) -> None:
    url = f"sqlite:///{path}"
    async with open_database(url) as one:
        async with open_database(url) as two:
            assert one is two
        assert isinstance(one, SqliteDatabase)
        await one.ping()
    async with open_database(url) as again:
        assert again is not one
