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
# Answers each item, in their order. It may raise for what it cannot write at once; then it is given one item at a time.
Together = Callable[[sqlite3.Connection, list[Any]], list[Any]]

LARGEST_GROUP = 512  # writes in one transaction


@dataclass(slots=True)
class _Job:
    """Either `work`, or an `item` for `together`."""

    answer: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    work: Work[Any] | None = None
    together: Together | None = None
    item: Any = None


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


class Writer:
    """The only one who writes to its file from this process.

    A group runs as one transaction; answers are given after its commit has reached the disk. When any of it fails, the
    group begins again with each caller's work in a savepoint of its own, so a failure undoes nobody else's statements.
    Work may therefore run twice, and must have no effect but on its connection.

    Each statement gives up the interpreter and must win it back from the event loop: what callers have in common is
    best written `together`, in few statements of many rows.
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
        return self._put(_Job(*_answer_here(), work=work))

    def submit_together(self, together: Together, item: object) -> "asyncio.Future[Any]":
        """Queue an item; all that wait for the same `together` are given to it at once."""
        return self._put(_Job(*_answer_here(), together=together, item=item))

    def _put(self, job: _Job) -> "asyncio.Future[Any]":
        if self._closed:
            job.answer.set_exception(Unavailable(f"{self._path} is closed: the service is stopping"))
        else:
            self._jobs.put(job)
        return job.answer

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
            try:
                outcomes = self._all(group)
            except Exception:  # noqa: BLE001 - whichever it was, the others must not suffer from it
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._connection.execute("BEGIN IMMEDIATE")
                outcomes = [self._attempt(job) for job in group]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return [_Failed(explain(error, self._path))] * len(group)
        return outcomes

    def _all(self, group: list[_Job]) -> list[object]:
        outcomes: list[object] = [None] * len(group)
        items: dict[Together, list[int]] = defaultdict(list)
        for place, job in enumerate(group):
            if job.work is not None:
                outcomes[place] = job.work(self._connection)
            elif job.together is not None:
                items[job.together].append(place)
        for together, places in items.items():
            results = together(self._connection, [group[place].item for place in places])
            for place, result in zip(places, results, strict=True):
                outcomes[place] = result
        return outcomes

    def _attempt(self, job: _Job) -> object:
        self._connection.execute("SAVEPOINT work")
        try:
            (result,) = self._all([job])
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


def _answer_here() -> "tuple[asyncio.Future[Any], asyncio.AbstractEventLoop]":
    loop = asyncio.get_running_loop()
    return loop.create_future(), loop


def _settle(answers: "list[tuple[asyncio.Future[Any], object]]") -> None:
    for future, outcome in answers:
        if future.done():
            continue
        if isinstance(outcome, _Failed):
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome)
