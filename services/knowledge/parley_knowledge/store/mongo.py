"""Documents in MongoDB with nothing but single-document atomicity.

Passages are written first, under a set name that nobody knows yet; the document's one conditional write makes them
live; then every other set of that version or an older one is deleted, also what a crash in between has left behind.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from parley.core import Conflict
from parley.database.mongo import Index, MongoDatabase, reachable
from parley_knowledge.documents import Chunk, Record

DOCUMENTS: Final = "knowledge_documents"
CHUNKS: Final = "knowledge_chunks"
REVISIONS: Final = "knowledge_revisions"
_FIELDS: Final = tuple(f.name for f in fields(Record))
_AT_ONCE: Final = 500


class MongoDocuments:
    """A DocumentStore on MongoDB."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._documents: Any = database.collection(DOCUMENTS)
        self._chunks: Any = database.collection(CHUNKS)
        self._revisions: Any = database.collection(REVISIONS)

    async def prepare(self) -> None:
        """Make the indexes that the calls below count on."""
        await self._database.ensure_indexes(DOCUMENTS, [Index(("tenant_id", "uri"))])
        await self._database.ensure_indexes(
            CHUNKS, [Index(("tenant_id", "chunk_set", "ordinal")), Index(("tenant_id", "document_id"))]
        )

    async def find(self, tenant: str, document_id: str) -> Record | None:
        """A document, also when it has been removed."""
        with reachable():
            found = await self._documents.find_one({"_id": _key(tenant, document_id), "tenant_id": tenant})
        return _record(found) if found else None

    async def all(self, tenant: str) -> list[Record]:
        """Every document that is not removed."""
        with reachable():
            return [_record(found) async for found in self._documents.find({"tenant_id": tenant, "removed": False})]

    async def page(self, tenant: str, after: str, limit: int) -> list[Record]:
        """Those whose uri comes after `after`."""
        wanted = {"tenant_id": tenant, "removed": False, "uri": {"$gt": after}}
        with reachable():
            return [_record(found) async for found in self._documents.find(wanted).sort("uri", 1).limit(limit)]

    async def publish(self, record: Record, chunks: Sequence[Chunk], *, replaces: Record | None) -> None:
        """Make a version live. Raises Conflict."""
        with reachable():
            await self._insert_chunks(record, chunks)
            if not await self._swap(record, replaces):
                await self._chunks.delete_many({"tenant_id": record.tenant_id, "chunk_set": record.chunk_set})
                raise Conflict(f"{record.uri} was changed by somebody else at the same time; try again")
            # Counted after the version is live: whoever sees the new number finds the new version.
            await self._revisions.update_one({"_id": record.tenant_id}, {"$inc": {"revision": 1}}, upsert=True)
            await self._sweep(record)

    async def chunks(self, tenant: str, chunk_sets: Sequence[str]) -> Mapping[str, list[Chunk]]:
        """The passages of these versions."""
        found: dict[str, list[Chunk]] = defaultdict(list)
        for begin in range(0, len(chunk_sets), _AT_ONCE):
            wanted = {"tenant_id": tenant, "chunk_set": {"$in": list(chunk_sets[begin : begin + _AT_ONCE])}}
            with reachable():
                async for row in self._chunks.find(wanted).sort([("chunk_set", 1), ("ordinal", 1)]):
                    found[row["chunk_set"]].append(Chunk(row["place"], row["text"]))
        return found

    async def revisions(self) -> Mapping[str, int]:
        """How often each tenant's knowledge has changed."""
        with reachable():
            return {row["_id"]: int(row["revision"]) async for row in self._revisions.find({})}

    async def _insert_chunks(self, record: Record, chunks: Sequence[Chunk]) -> None:
        owner = {name: getattr(record, name) for name in ("tenant_id", "document_id", "version", "chunk_set")}
        rows = [{**owner, "ordinal": n, **asdict(chunk)} for n, chunk in enumerate(chunks)]
        if rows:
            await self._chunks.insert_many(rows, ordered=False)

    async def _swap(self, record: Record, replaces: Record | None) -> bool:
        key = _key(record.tenant_id, record.document_id)
        if replaces is None:
            try:
                await self._documents.insert_one({"_id": key, **asdict(record)})
            except DuplicateKeyError:
                return False
            return True
        expected = {"_id": key, "version": replaces.version}
        outcome = await self._documents.update_one(expected, {"$set": asdict(record)})
        return bool(outcome.matched_count == 1)

    async def _sweep(self, record: Record) -> None:
        mine = {"tenant_id": record.tenant_id, "document_id": record.document_id}
        old = {"version": {"$lte": record.version}, "chunk_set": {"$ne": record.chunk_set}}
        await self._chunks.delete_many({**mine, **old})


def _key(tenant: str, document_id: str) -> str:
    return f"{tenant}/{document_id}"


def _record(found: dict[str, Any]) -> Record:
    return Record(**{name: found[name] for name in _FIELDS})
