"""Schema changes for SQLite: numbered scripts, applied once and in order, each component with its own count."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from parley.core import SettingsError

_NUMBERED = re.compile(r"(\d{4})_\w+\.sql")


def read_scripts(folder: Path) -> list[str]:
    """The texts of `0001_*.sql`, `0002_*.sql`, … Raises SettingsError when a number is missing or doubled."""
    found = sorted(path for path in folder.iterdir() if _NUMBERED.fullmatch(path.name))
    numbers = [int(path.name[:4]) for path in found]
    if not found or numbers != list(range(1, len(found) + 1)):
        raise SettingsError(f"{folder} must hold 0001_….sql, 0002_….sql and so on without gaps; it holds {numbers}")
    return [path.read_text(encoding="utf-8") for path in found]


def apply(connection: sqlite3.Connection, component: str, scripts: list[str]) -> int:
    """Run what this database has not seen yet, inside the caller's transaction; returns the version it is at.

    Raises SettingsError when a newer release has been here.
    """
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL)"
    )
    row = connection.execute("SELECT version FROM schema_versions WHERE component = ?", (component,)).fetchone()
    version = int(row[0]) if row else 0
    if version > len(scripts):
        raise SettingsError(
            f"the database was written by a newer Parley ({component} schema {version}, this release knows "
            f"{len(scripts)}); start that release, or give PARLEY_DATABASE_URL another database"
        )
    for script in scripts[version:]:
        for statement in statements(script):
            connection.execute(statement)
    connection.execute("INSERT OR REPLACE INTO schema_versions VALUES (?, ?)", (component, len(scripts)))
    return len(scripts)


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would commit the transaction around them."""
    waiting = ""
    for line in script.splitlines(keepends=True):
        waiting += line
        if sqlite3.complete_statement(waiting):
            yield waiting
            waiting = ""
    if waiting.strip():
        raise SettingsError(f"a migration ends in the middle of a statement: {waiting.strip()[:60]}")
