"""Sessions in MongoDB: one document takes a whole decision; what belongs elsewhere trails behind it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from parley.core import Unavailable
from parley.database.mongo import MongoDatabase, reachable
from parley_session_router.store import cursors
from parley_session_router.store import mongo_documents as documents
from parley_session_router.store.installation import same_shards
from parley_session_router.store.mongo_copy import Copier, duplicates
from parley_session_router.store.mongo_documents import Document, record_of
from parley_session_router.store.mongo_inbox import Inbox
from parley_session_router.store.mongo_tails import Tail, Tails
from parley_session_router.store.pages import next_page, position, window
from parley_session_router.store.records import (
    History,
    OutgoingEntry,
    SentMark,
    SessionCommit,
    SessionKey,
    SessionPage,
    SessionRecord,
    StoredMessage,
    StreamEntry,
)

CLOSING_SECONDS = 5.0
CLAIM_ATTEMPTS = 50
_WITH_TAIL = documents.RECORD | {"tail": 1}


class MongoStore:
    """See `SessionStore`. Needs single-document atomicity and unique indexes, nothing more."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._sessions = database.collection(documents.SESSIONS)
        self._messages = database.collection(documents.MESSAGES)
        self._outgoing = database.collection(documents.OUTGOING)
        self._tails = Tails()
        self._inbox = Inbox(database)
        self.copier = Copier(database, self._tails)

    async def check_shards(self, shards: int) -> None:
        """Kept in one document of `installation`."""
        installation = self._database.collection(documents.INSTALLATION)
        with reachable():
            with contextlib.suppress(DuplicateKeyError):
                await installation.insert_one({"_id": "shards", "value": shards})
            stored = await installation.find_one({"_id": "shards"})
        same_shards(int(stored["value"]), shards)

    async def claim_shard(self, shard: int) -> int:
        """Compare and set until it is ours: whoever sees the epoch first raises it."""
        shards = self._database.collection(documents.SHARDS)
        for _ in range(CLAIM_ATTEMPTS):
            with reachable():
                with contextlib.suppress(DuplicateKeyError):
                    await shards.insert_one({"_id": shard, "epoch": 0})
                epoch = int((await shards.find_one({"_id": shard}))["epoch"])
                raised = await shards.update_one({"_id": shard, "epoch": epoch}, {"$set": {"epoch": epoch + 1}})
            if raised.matched_count == 1:
                return epoch + 1
        raise Unavailable(f"shard {shard} is claimed by many at once; try again")

    async def load(self, keys: Sequence[SessionKey]) -> dict[SessionKey, SessionRecord]:
        """One query by `_id`; a tail found on the way is copied."""
        if not keys:
            return {}
        found = await self._find(self._sessions, {"_id": _among(keys)}, _WITH_TAIL)
        self._learn(found)
        records = [record_of(document) for document in found]
        return {record.at: record for record in records}

    async def commit(self, batch: Sequence[SessionCommit]) -> list[bool]:
        """One bulk of conditional updates. An upsert that matches nothing collides with `_id`: that names the stale."""
        await self.load([commit.record.at for commit in batch if not self._tails.is_known(commit)])
        fresh = await self._acceptable(batch)
        tails = [self._tails.after(batch[index]) for index in fresh]
        try:
            refused = await self._write([batch[index] for index in fresh], tails)
        except BaseException:
            self._tails.forget(commit.record.at for commit in batch)
            raise
        stored = [False] * len(batch)
        for place, (index, tail) in enumerate(zip(fresh, tails, strict=True)):
            stored[index] = place not in refused
            if stored[index]:
                self._tails.committed(batch[index].record.at, tail)
        self._tails.forget(commit.record.at for commit, ok in zip(batch, stored, strict=True) if not ok)
        self.copier.wake()
        return stored

    async def find_duplicates(self, key: SessionKey, dedup_keys: Sequence[str]) -> Mapping[str, StoredMessage]:
        """First the session's own tail, then the tails of who claimed them, then the unique index of `messages`."""
        if self._tails.known(key) is None:
            await self.load([key])
        tail = self._tails.known(key)
        own = {e.dedup_key: StoredMessage(key.session, e.message_id, e.seq) for e in _entries(tail) if e.dedup_key}
        stored = await self._inbox.find(key.tenant, [name for name in dedup_keys if name not in own])
        return stored | {name: own[name] for name in dedup_keys if name in own}

    async def clear_outbox(self, sent: Sequence[SentMark]) -> None:
        """Noted, and done within about a second unless a newer version makes it needless."""
        for mark in sent:
            self._tails.settle(SessionKey(mark.tenant, mark.session), mark.version, sent=True)

    async def pending(self, shard: int, limit: int = 500) -> list[SessionRecord]:
        """By the index of (shard, unsent), once what is known to be sent has been cleared."""
        await self.copier.clear()
        return await self._records({"shard": shard, "unsent": True}, limit=limit)

    async def due(self, shard: int, now: float, limit: int = 500) -> list[SessionRecord]:
        """By the index of (shard, due_at)."""
        return await self._records({"shard": shard, "due_at": {"$lte": now}}, sort=[("due_at", 1)], limit=limit)

    async def next_due(self, shard: int) -> float | None:
        """The first entry of the same index that is a number."""
        query = {"shard": shard, "due_at": {"$gt": float("-inf")}}
        found = await self._find(self._sessions, query, {"due_at": 1}, sort=[("due_at", 1)], limit=1)
        return float(found[0]["due_at"]) if found else None

    async def waiting(self, shard: int) -> int:
        """By the index of (shard, status)."""
        with reachable():
            return int(await self._sessions.count_documents({"shard": shard, "status": "waiting"}))

    async def copy_tails(self, shard: int | None = None) -> int:
        """One round of the copier, after looking for what a predecessor has left; then all that may be cleared."""
        if shard is not None:
            self._learn(await self._find(self._sessions, {"shard": shard, "uncopied": True}, _WITH_TAIL))
        copied = await self.copier.copy()
        await self.copier.clear()
        return copied

    async def history(
        self, key: SessionKey, *, after_seq: int = 0, limit: int = 100, before_seq: int | None = None
    ) -> History | None:
        """The tail first and then `messages` by id, so that an entry on its way between them is seen."""
        found = await self._find(
            self._sessions, {"_id": documents.session_id(key)}, {"epoch": 1, "head_seq": 1, "tail": 1}
        )
        if not found:
            return None
        head: Document = found[0]
        first, last = window(head["head_seq"], after_seq, limit, before_seq)
        entries = {d["seq"]: documents.entry_of(d) for d in head["tail"] if first <= d["seq"] <= last}
        wanted = [documents.message_id(key, seq) for seq in range(first, last + 1) if seq not in entries]
        if wanted:
            copied = await self._find(self._messages, {"_id": {"$in": wanted}})
            entries |= {d["seq"]: documents.entry_of(d) for d in copied}
        return History(head["epoch"], head["head_seq"], tuple(entries[seq] for seq in sorted(entries)))

    async def list_sessions(self, tenant: str, *, status: str = "", after: str = "", limit: int = 100) -> SessionPage:
        """By the index of (tenant, status, order)."""
        since, last = position(after)
        query: Document = {"tenant": tenant} | ({"status": status} if status else {})
        if after:
            query["$or"] = [{"order_at": {"$gt": since}}, {"order_at": since, "session": {"$gt": last}}]
        found = await self._records(query, sort=[("order_at", 1), ("session", 1)], limit=limit)
        return SessionPage(tuple(found), next_page(found, limit))

    async def resolve(self, tenant: str, channel: str, external_id: str) -> str | None:
        """By the unique index of visitors."""
        visitor = documents.visitor(tenant, channel, external_id)
        found = await self._find(self._sessions, {"visitor": visitor}, {"session": 1}) if external_id else []
        return str(found[0]["session"]) if found else None

    async def channel_outbox(
        self, tenant: str, channel: str, *, cursor: str = "", limit: int = 100
    ) -> list[OutgoingEntry]:
        """In the order of the channel's log."""
        (seen,) = cursors.unpack(cursor, tuple[int]) if cursor else (0,)
        query = {"tenant": tenant, "channel": channel, "position": {"$gt": seen}}
        logged = await self._find(self._outgoing, query, sort=[("position", 1)], limit=limit)
        copied = await self._find(self._messages, {"_id": {"$in": [d["entry"] for d in logged]}})
        entries = {d["_id"]: documents.entry_of(d) for d in copied}
        return [
            OutgoingEntry(d["session"], d["recipient"], entries[d["entry"]], cursors.pack(d["position"]))
            for d in logged
        ]

    async def ping(self) -> None:
        """Asks the server."""
        await self._database.ping()

    async def _write(self, commits: Sequence[SessionCommit], tails: Sequence[Tail]) -> set[int]:
        """Returns the places of those that were refused."""
        if not commits:
            return set()
        with reachable():
            try:
                written = await self._sessions.bulk_write(
                    [_operation(commit, tail) for commit, tail in zip(commits, tails, strict=True)], ordered=False
                )
            except BulkWriteError as error:
                refused, upserted = set(duplicates(error)), error.details["upserted"]
            else:
                refused, upserted = set(), written.bulk_api_result["upserted"]
            for made in upserted:  # there was no such session to replace
                await self._sessions.delete_one({"_id": made["_id"], "version": commits[made["index"]].record.version})
                refused.add(made["index"])
        return refused

    async def _acceptable(self, batch: Sequence[SessionCommit]) -> list[int]:
        """The commits of owners who are not outdated, whose messages are new.

        New is what is neither in the session's own tail, which empties into `messages` and so is looked at first, nor
        there, nor claimed by another session.
        """
        once = [
            {documents.once(commit.record.tenant, e.dedup_key) for e in commit.entries if e.dedup_key}
            for commit in batch
        ]
        repeats = [self._repeats(commit) for commit in batch]
        asked = set().union(*once)
        found = await self._find(self._messages, {"once": {"$in": list(asked)}}, {"once": 1}) if asked else []
        known = {document["once"] for document in found}
        fresh = []
        for index, keys in enumerate(once):
            if not repeats[index] and known.isdisjoint(keys) and self._tails.may_follow(batch[index]):
                known |= keys
                fresh.append(index)
        elsewhere = await self._inbox.claim(batch[index] for index in fresh)
        return [index for index in fresh if elsewhere.isdisjoint(once[index])] if elsewhere else fresh

    def _repeats(self, commit: SessionCommit) -> bool:
        """Whether the session's own tail holds one of these messages already."""
        tail = self._tails.known(commit.record.at)
        known = {entry.dedup_key for entry in _entries(tail) if entry.dedup_key is not None}
        return any(entry.dedup_key in known for entry in commit.entries)

    def _learn(self, found: Iterable[Document]) -> None:
        for d in found:
            entries = {entry["seq"]: documents.entry_of(entry) for entry in d["tail"]}
            self._tails.learn(
                SessionKey(d["tenant"], d["session"]),
                Tail(d["version"], d["shard_epoch"], d["channel"], d["external_id"], entries),
            )
        if len(self._tails):
            self.copier.wake()

    async def _records(self, query: Document, **options: Any) -> list[SessionRecord]:
        return [record_of(d) for d in await self._find(self._sessions, query, documents.RECORD, **options)]

    async def _find(self, collection: Any, query: Document, *args: Any, **options: Any) -> list[Document]:
        with reachable():
            found: list[Document] = await collection.find(query, *args, **options).to_list(None)
            return found


def _operation(commit: SessionCommit, tail: Tail) -> InsertOne[Document] | UpdateOne:
    record = commit.record
    fields = documents.session_fields(record, tail.entries.values())
    own = documents.session_id(record.at)
    if record.version == 1:
        return InsertOne({"_id": own, **fields})
    return UpdateOne({"_id": own, "version": record.version - 1}, {"$set": fields}, upsert=True)


def _among(keys: Iterable[SessionKey]) -> Document:
    return {"$in": [documents.session_id(key) for key in keys]}


def _entries(tail: Tail | None) -> Iterable[StreamEntry]:
    return tail.entries.values() if tail else ()


@asynccontextmanager
async def open_mongo_store(database: MongoDatabase) -> AsyncIterator[MongoStore]:
    """A store with its indexes made and its copier running; leaving it copies what is left."""
    for collection, indexes in documents.INDEXES.items():
        await database.ensure_indexes(collection, indexes)
    store = MongoStore(database)
    copying = asyncio.create_task(store.copier.run())
    try:
        yield store
    finally:
        copying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await copying
        with contextlib.suppress(Unavailable, TimeoutError):  # a successor finds what is left
            async with asyncio.timeout(CLOSING_SECONDS):
                await store.copy_tails()
