import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from parley.core import SettingsError, Unavailable
from parley.database import SqliteDatabase, open_database
from parley.testing.servers import free_port


async def opened_at(url: str) -> None:
    async with open_database(url) as database:
        await database.ping()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgres://host/db", "sqlite:///path or mongodb://"),
        ("sqlite:parley.db", "expected sqlite:///path"),
        ("sqlite:///", "expected sqlite:///path"),
        ("sqlite:///:memory:", "expected sqlite:///path"),
        ("mongodb://host:notaport/x", "expected mongodb://"),
        ("sqlite:////proc/nowhere/parley.db", "PARLEY_HOME"),
        ("sqlite:////dev/null/parley.db", "PARLEY_HOME"),
    ],
)
async def test_a_url_that_cannot_be_used_says_what_to_type(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        await opened_at(url)


async def test_a_folder_in_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be opened"):
        await opened_at(f"sqlite:///{tmp_path}")


async def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("这不是数据库，只是一些笔记。" * 100)
    with pytest.raises(SettingsError, match="not a SQLite database"):
        await opened_at(f"sqlite:///{tmp_path / 'notes.db'}")


async def test_a_password_is_never_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        await opened_at("mongodb://admin:hunter2@host:notaport/x")
    assert "hunter2" not in str(caught.value)


async def test_a_mongodb_that_does_not_answer_is_unavailable_within_its_limit() -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        await opened_at(f"mongodb://127.0.0.1:{free_port()}/parley?serverSelectionTimeoutMS=200")
    assert time.monotonic() - began < 5


def scripts(folder: Path, *texts: str) -> Path:
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts, 1):
        (folder / f"{number:04}_step.sql").write_text(text, encoding="utf-8")
    return folder


async def migrate(path: Path, folder: Path, component: str = "desk") -> list[tuple[str, int]]:
    async with open_database(f"sqlite:///{path}") as database:
        assert isinstance(database, SqliteDatabase)
        await database.migrate(component, folder)
        return await database.read(lambda c: c.execute("SELECT * FROM schema_versions ORDER BY component").fetchall())


ONE = "CREATE TABLE a (x TEXT DEFAULT ';');\n-- 注释; 里面有分号\nINSERT INTO a VALUES ('一');"
TWO = "ALTER TABLE a ADD COLUMN y INTEGER;\nINSERT INTO a VALUES ('二', 2);"


async def test_migrations_run_once_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    assert await migrate(path, scripts(tmp_path / "m", ONE)) == [("desk", 1)]
    assert await migrate(path, scripts(tmp_path / "m", ONE, TWO)) == [("desk", 2)]
    assert await migrate(path, scripts(tmp_path / "m", ONE, TWO)) == [("desk", 2)]
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT * FROM a").fetchall() == [("一", None), ("二", 2)]
    connection.close()


async def test_components_of_one_file_count_for_themselves(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    await migrate(path, scripts(tmp_path / "m", ONE, TWO))
    other = scripts(tmp_path / "other", "CREATE TABLE b (x);")
    assert await migrate(path, other, "media") == [("desk", 2), ("media", 1)]


async def test_a_newer_schema_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    await migrate(path, scripts(tmp_path / "new", ONE, TWO))
    with pytest.raises(SettingsError, match=r"newer Parley \(desk schema 2, this release knows 1\)"):
        await migrate(path, scripts(tmp_path / "old", ONE))


async def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await migrate(path, scripts(tmp_path / "m", ONE, "INSERT INTO nowhere VALUES (1);"))
    assert await migrate(path, scripts(tmp_path / "good", ONE)) == [("desk", 1)]


@pytest.mark.parametrize("names", [[], ["0002_b.sql"], ["0001_a.sql", "0003_c.sql"]])
async def test_numbers_with_gaps_are_refused(tmp_path: Path, names: list[str]) -> None:
    folder = scripts(tmp_path / "m")
    for name in names:
        (folder / name).write_text("SELECT 1;")
    with pytest.raises(SettingsError, match="without gaps"):
        await migrate(tmp_path / "parley.db", folder)


async def test_two_processes_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    """Two writers with connections of their own, as two processes have."""
    path, folder = tmp_path / "parley.db", scripts(tmp_path / "m", ONE, TWO)
    databases = [await asyncio.to_thread(SqliteDatabase, path) for _ in range(2)]
    await asyncio.gather(*(database.migrate("desk", folder) for database in databases))
    assert await databases[0].read(lambda c: c.execute("SELECT count(*) FROM a").fetchone()) == (2,)
    for database in databases:
        await asyncio.to_thread(database.close)
