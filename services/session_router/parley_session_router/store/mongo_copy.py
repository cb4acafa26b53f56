"""The trailing copy of the MongoDB store: from session documents to `messages`, and to a log of what must go out.

Each step may be repeated by anyone at any time: message ids and log entries are unique, and a document is only cleared
at the version whose entries were copied or sent. Losing what is noted here costs a repeat.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, PyMongoError

from parley.core import Unavailable
from parley.database.mongo import MongoDatabase, reachable
from parley_session_router.store.mongo_documents import (
    MESSAGES,
    OUTGOING,
    SESSIONS,
    Document,
    joined,
    message_document,
    message_id,
    session_id,
)
from parley_session_router.store.mongo_tails import Settled, Tail, Tails
from parley_session_router.store.packing import NOTHING
from parley_session_router.store.records import SessionKey

DUPLICATE = 11000
RETRY_SECONDS = 1.0
CLEAR_SECONDS = 1.0  # a busy session's next commit clears its document for nothing
CLEAR_AT = 500  # documents


class Outgoing(NamedTuple):
    """One entry on its way into a channel's log."""

    key: SessionKey
    seq: int
    recipient: str


class Copier:
    """Copies what `tails` collects. One round at a time, so that a later round may build on an earlier one."""

    def __init__(self, database: MongoDatabase, tails: Tails) -> None:
        self._sessions = database.collection(SESSIONS)
        self._messages = database.collection(MESSAGES)
        self._outgoing = database.collection(OUTGOING)
        self._tails = tails
        self._positions: dict[tuple[str, str], int] = {}
        self._round = asyncio.Lock()
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """There is something to copy."""
        self._wanted.set()

    async def run(self) -> None:
        """Copy whenever woken and clear every second, for ever; while the database is away, try again."""
        clock = asyncio.get_running_loop().time
        cleared = clock()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLEAR_SECONDS):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.copy()
                if clock() - cleared >= CLEAR_SECONDS or self._tails.settled >= CLEAR_AT:
                    cleared = clock()
                    await self.clear()
            except (Unavailable, PyMongoError):  # what was not done is still in the documents, and noted
                await asyncio.sleep(RETRY_SECONDS)
                self._wanted.set()

    async def copy(self) -> int:
        """One round over all that waits; how many sessions it took. Raises Unavailable, with nothing forgotten."""
        async with self._round:
            taken = self._tails.take()
            if not taken:
                return 0
            try:
                with reachable():
                    await self._copy_messages(taken)
                    await self._log_outgoing(taken)
            except BaseException:
                self._tails.put_back(taken)
                raise
            self._tails.copied(taken)
            return len(taken)

    async def clear(self) -> None:
        """Empty tails and outboxes of documents that still are at the version that was settled. Raises Unavailable."""
        settled = self._tails.take_settled()
        clears = [
            UpdateOne({"_id": session_id(key), "version": mark.version}, {"$set": _cleared(mark)})
            for key, mark in settled.items()
        ]
        if clears:
            with reachable():
                await self._sessions.bulk_write(clears, ordered=False)

    async def _copy_messages(self, taken: dict[SessionKey, Tail]) -> None:
        documents = [message_document(key, entry) for key, tail in taken.items() for entry in tail.entries.values()]
        for document in await self._insert(documents):
            # It is there already, or its dedup key went to another session first: then it stays, without the key.
            document["once"] = joined("", document["_id"])
            await self._insert([document])

    async def _insert(self, documents: Sequence[Document]) -> list[Document]:
        """Insert what can be; returns those that collide."""
        if not documents:
            return []
        try:
            await self._messages.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            return [documents[index] for index in duplicates(error)]
        return []

    async def _log_outgoing(self, taken: dict[SessionKey, Tail]) -> None:
        by_channel: dict[tuple[str, str], list[Outgoing]] = defaultdict(list)
        for key, tail in taken.items():
            for entry in sorted(tail.entries.values(), key=lambda entry: entry.seq):
                if entry.outgoing:
                    by_channel[key.tenant, tail.channel].append(Outgoing(key, entry.seq, tail.recipient))
        for (tenant, channel), entries in by_channel.items():
            await self._append(tenant, channel, entries)

    async def _append(self, tenant: str, channel: str, entries: list[Outgoing]) -> None:
        """Each entry at the position after one that exists, so that no reader ever sees a gap that is filled later."""
        place = (tenant, channel)
        while entries:
            if place not in self._positions:
                self._positions[place] = await self._last_position(tenant, channel)
            start = self._positions[place] + 1
            documents = [_logged(tenant, channel, start + n, entry) for n, entry in enumerate(entries)]
            try:
                await self._outgoing.insert_many(documents, ordered=True)
                done = len(entries)
                self._positions[place] += done
            except BulkWriteError as error:
                done = duplicates(error)[0]
                self._positions[place] += done
                if await self._outgoing.find_one({"entry": documents[done]["entry"]}, {"_id": 1}):
                    done += 1
                else:
                    del self._positions[place]  # another router has written to this channel's log
            entries = entries[done:]

    async def _last_position(self, tenant: str, channel: str) -> int:
        last = await self._outgoing.find_one({"tenant": tenant, "channel": channel}, sort=[("position", -1)])
        return int(last["position"]) if last else 0


def duplicates(error: BulkWriteError) -> list[int]:
    """Which operations broke a unique index. Raises the error itself when something else happened too."""
    details: Any = error.details
    failed = details["writeErrors"]
    if details.get("writeConcernErrors"):
        raise Unavailable(f"MongoDB did not confirm a write: {details['writeConcernErrors'][0]}") from error
    if any(failure["code"] != DUPLICATE for failure in failed):
        raise error
    return [failure["index"] for failure in failed]


def _cleared(mark: Settled) -> Document:
    tail = {"tail": [], "uncopied": False} if mark.copied else {}
    return tail | ({"pending": NOTHING, "unsent": False} if mark.sent else {})


def _logged(tenant: str, channel: str, position: int, entry: Outgoing) -> Document:
    return {
        "_id": joined(tenant, channel, str(position)),
        "tenant": tenant,
        "channel": channel,
        "position": position,
        "entry": message_id(entry.key, entry.seq),
        "session": entry.key.session,
        "recipient": entry.recipient,
    }
