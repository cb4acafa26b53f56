"""Which session a message belongs to, where its id is unique beyond one session: claimed before the commit.

Session documents cannot refuse each other's messages, and the unique index of `messages` only speaks after the copy. So
whoever inserts the claim first may commit. A claim without a stored message stays with its session for a lease; then
another session may have it. What single documents cannot close: an owner that froze between its claim and its write for
longer than the lease, and whose session nobody has written since, still writes when it wakes.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pymongo.errors import BulkWriteError

from parley.database.mongo import MongoDatabase, reachable
from parley_session_router.store.mongo_copy import duplicates
from parley_session_router.store.mongo_documents import INBOX, MESSAGES, SESSIONS, Document, once, session_id
from parley_session_router.store.records import SessionCommit, SessionKey, SessionRecord, StoredMessage, is_of_session

LEASE_SECONDS = 60.0  # by the clocks of the owners; a write takes ten at most
WAIT_SECONDS = 2.0  # for another session's commit that is under way
LOOK_SECONDS = 0.02


class Inbox:
    """Claims, and where claimed messages are stored."""

    def __init__(self, database: MongoDatabase) -> None:
        self._claims = database.collection(INBOX)
        self._sessions = database.collection(SESSIONS)
        self._messages = database.collection(MESSAGES)

    async def claim(self, commits: Iterable[SessionCommit]) -> set[str]:
        """Claim what these commits would store; returns the `once` values that other sessions hold."""
        wanted = {name: commit.record for commit in commits for name in _shared(commit)}
        if not wanted:
            return set()
        with reachable():
            held = await self._insert([_claim(name, record) for name, record in wanted.items()])
            return {name for name in held if not await self._is_ours(held[name], wanted[name])}

    async def find(self, tenant: str, dedup_keys: Sequence[str]) -> dict[str, StoredMessage]:
        """Where these are stored. One that another session has claimed but not stored yet is awaited a little."""
        names = {once(tenant, key): key for key in dedup_keys}
        found: dict[str, StoredMessage] = {}
        for _ in range(int(WAIT_SECONDS / LOOK_SECONDS) if names else 0):
            with reachable():
                claimed, found = await self._look(tenant, names)
            if claimed <= found.keys():
                break
            await asyncio.sleep(LOOK_SECONDS)
        return found

    async def _look(self, tenant: str, names: Mapping[str, str]) -> tuple[set[str], dict[str, StoredMessage]]:
        """The dedup keys that are claimed, and where those that are stored are: in a tail, or else in `messages`."""
        claims = await self._find(self._claims, {"_id": {"$in": list(names)}})
        claimed = {names[claim["_id"]]: claim["session"] for claim in claims}
        found = await self._in_tails(tenant, claimed)
        copied = await self._find(self._messages, {"once": {"$in": list(names)}})
        found |= {names[d["once"]]: StoredMessage(d["session"], d["message_id"], d["seq"]) for d in copied}
        return set(claimed), found

    async def _insert(self, claims: list[Document]) -> dict[str, Document]:
        """Returns the claims that stood in the way."""
        try:
            await self._claims.insert_many(claims, ordered=False)
        except BulkWriteError as error:
            taken = [claims[index]["_id"] for index in duplicates(error)]
            return {claim["_id"]: claim for claim in await self._find(self._claims, {"_id": {"$in": taken}})}
        return {}

    async def _is_ours(self, held: Document, record: SessionRecord) -> bool:
        """Whether this session claimed it earlier, or may have what nobody stored within the lease."""
        if held["session"] == record.session:
            return True
        if record.changed_at < held["at"] + LEASE_SECONDS or await self._is_stored(held, record.tenant):
            return False
        taken = await self._claims.update_one(held, {"$set": _claim(held["_id"], record)})
        return bool(taken.matched_count)

    async def _is_stored(self, held: Document, tenant: str) -> bool:
        """The tail first and then `messages`, so that an entry on its way between them is seen."""
        key = held["_id"].removeprefix(once(tenant, ""))
        in_tail = await self._in_tails(tenant, {key: held["session"]})
        return bool(in_tail) or await self._messages.find_one({"once": held["_id"]}, {"_id": 1}) is not None

    async def _in_tails(self, tenant: str, sessions: Mapping[str, str]) -> dict[str, StoredMessage]:
        """Of these messages, by dedup key, those that their sessions have stored and not copied yet."""
        ids = [session_id(SessionKey(tenant, session)) for session in set(sessions.values())]
        found = await self._find(self._sessions, {"_id": {"$in": ids}}, {"session": 1, "tail": 1}) if ids else []
        entries = [(d["session"], entry) for d in found for entry in d["tail"] if entry["dedup_key"] in sessions]
        return {e["dedup_key"]: StoredMessage(session, e["message_id"], e["seq"]) for session, e in entries}

    async def _find(self, collection: Any, *query: Document) -> list[Document]:
        found: list[Document] = await collection.find(*query).to_list(None)
        return found


def _shared(commit: SessionCommit) -> list[str]:
    """The messages of a commit that other sessions might store too."""
    record = commit.record
    keys = [entry.dedup_key for entry in commit.entries if entry.dedup_key is not None]
    return [once(record.tenant, key) for key in keys if not is_of_session(key, record.session)]


def _claim(name: str, record: SessionRecord) -> Document:
    return {"_id": name, "session": record.session, "at": record.changed_at}
