"""Group commit for SQLite: one thread takes every write that waits and makes them durable in one transaction."""

import asyncio
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from parley.core import Unavailable
from parley.database.failures import explain

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

LARGEST_GROUP = 512  # writes in one transaction


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    answer: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


class Writer:
    """The only one who writes to its file from this process.

    Each caller's work runs inside a savepoint, so its failure undoes its own statements and nobody else's; answers
    are given after the group's commit has reached the disk.
    """

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._closed = False
        self._thread.start()

    def submit(self, work: Work[T]) -> "asyncio.Future[T]":
        """Queue `work`; the future ends with its result once that is on disk, or with what it raised."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        if self._closed:
            answer.set_exception(Unavailable(f"{self._path} is closed: the service is stopping"))
        else:
            self._jobs.put(_Job(work, answer, loop))
        return answer

    def close(self) -> None:
        """Finish what is queued, then end the thread. Blocks; call it off the event loop."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            group, last = self._take()
            if group:
                self._answer(group, self._commit(group))
            if last:
                return

    def _take(self) -> tuple[list[_Job], bool]:
        group: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            if not job.answer.cancelled():
                group.append(job)
            if len(group) >= LARGEST_GROUP:
                return group, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[_Job]) -> list[object]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._attempt(job.work) for job in group]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return [_Failed(explain(error, self._path))] * len(group)
        return outcomes

    def _attempt(self, work: Work[Any]) -> object:
        self._connection.execute("SAVEPOINT work")
        try:
            result = work(self._connection)
        except BaseException as error:  # whatever it is, it belongs to this caller alone
            if not self._connection.in_transaction:  # a full disk ends the whole transaction: so the group fails
                raise error if isinstance(error, sqlite3.Error) else sqlite3.OperationalError(str(error)) from error
            self._connection.execute("ROLLBACK TO work")
            result = _Failed(explain(error, self._path))
        self._connection.execute("RELEASE work")
        return result

    def _answer(self, group: list[_Job], outcomes: list[object]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], object]]] = defaultdict(list)
        for job, outcome in zip(group, outcomes, strict=True):
            by_loop[job.loop].append((job.answer, outcome))
        for loop, answers in by_loop.items():
            if not loop.is_closed():  # who asked is gone; the write stands all the same
                loop.call_soon_threadsafe(_settle, answers)


def _settle(answers: "list[tuple[asyncio.Future[Any], object]]") -> None:
    for future, outcome in answers:
        if future.done():
            continue
        if isinstance(outcome, _Failed):
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome)
