"""What SQLite's errors mean to the person who reads them."""

import sqlite3

from parley.core import Conflict, SettingsError, Unavailable

_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: "{path} is locked by another process; end that process or give each its own database",
    sqlite3.SQLITE_LOCKED: "{path} is locked by another process; end that process or give each its own database",
    sqlite3.SQLITE_FULL: "the disk that holds {path} is full; make room on it",
    sqlite3.SQLITE_READONLY: "{path} cannot be written; give this process the right to write to it and its folder",
    sqlite3.SQLITE_CANTOPEN: "{path} cannot be opened; is its folder there and writable?",
    sqlite3.SQLITE_IOERR: "the disk that holds {path} fails to read or write",
    sqlite3.SQLITE_CORRUPT: "{path} is damaged; stop Parley and restore its last backup",
}


def explain(error: BaseException, path: str) -> BaseException:
    """Our error for SQLite's: Unavailable, Conflict for a broken constraint, SettingsError for a file that is none.

    Errors that are not SQLite's come back as they are.
    """
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(f"{path} refuses it: {error}")
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(error, sqlite3.DatabaseError) or code is None:
        return error
    primary = code & 0xFF  # the rest of the number is detail
    if primary == sqlite3.SQLITE_NOTADB:
        return SettingsError(f"{path} is not a SQLite database; give PARLEY_DATABASE_URL another file")
    if meaning := _UNAVAILABLE.get(primary):
        return Unavailable(f"{meaning.format(path=path)} ({error})")
    return error
