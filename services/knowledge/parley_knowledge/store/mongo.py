"""Knowledge in MongoDB with nothing but single-document atomicity.

Contents are written first, under names that nobody knows yet; the one insert of the release, whose number is unique,
makes them live. Then the head is raised: whoever sees the new number finds the release.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from pymongo.errors import BulkWriteError, DuplicateKeyError

from parley.core import Conflict, Invalid
from parley.database.mongo import Index, MongoDatabase, reachable
from parley_knowledge.documents import Chunk, Record
from parley_knowledge.releases import Change, Proposal, Release, State, Wanted
from parley_knowledge.store.port import Kept
from parley_knowledge.store.rows import COLUMNS, labels_json, record_of

CONTENTS: Final = "knowledge_contents"
PASSAGES: Final = "knowledge_passages"
RELEASES: Final = "knowledge_releases"
HEADS: Final = "knowledge_heads"
PROPOSALS: Final = "knowledge_proposals"
PROPOSED: Final = "knowledge_proposed"
MOST_CHANGES: Final = 80_000  # in one release: a document of MongoDB holds 16 MB
_AT_ONCE: Final = 500
_TWICE: Final = 11000


class MongoDocuments:
    """A DocumentStore on MongoDB."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._contents: Any = database.collection(CONTENTS)
        self._passages: Any = database.collection(PASSAGES)
        self._releases: Any = database.collection(RELEASES)
        self._heads: Any = database.collection(HEADS)
        self._proposals: Any = database.collection(PROPOSALS)
        self._proposed: Any = database.collection(PROPOSED)

    async def prepare(self) -> None:
        """Make the indexes that the calls below count on."""
        await self._database.ensure_indexes(RELEASES, [Index(("tenant_id", "number"), unique=True)])
        await self._database.ensure_indexes(PROPOSALS, [Index(("tenant_id", "-at"))])
        await self._database.ensure_indexes(PROPOSED, [Index(("tenant_id", "proposal_id", "uri"))])

    async def heads(self) -> Mapping[str, int]:
        """The number of each tenant's last release."""
        with reachable():
            return {row["_id"]: int(row["number"]) async for row in self._heads.find({})}

    async def releases(self, tenant: str, after: int) -> list[Release]:
        """Those numbered above `after`."""
        wanted = {"tenant_id": tenant, "number": {"$gt": after}}
        with reachable():
            return [_release(row) async for row in self._releases.find(wanted).sort("number", 1)]

    async def keep(self, kept: Sequence[Kept]) -> None:
        """Store contents that nobody sees yet."""
        tenant = kept[0].record.tenant_id if kept else ""
        chunks = {_key(tenant, c.hash): c for one in kept for c in one.chunks}
        await _insert(self._passages, {key: _passage(tenant, c) for key, c in chunks.items()})
        await _insert(self._contents, {_key(tenant, one.record.chunk_set): _content(one) for one in kept})

    async def publish(self, release: Release, kept: Sequence[Kept] = ()) -> None:
        """Make a release live. Raises Conflict, Invalid."""
        if len(release.changes) > MOST_CHANGES:
            raise Invalid(f"{len(release.changes)} changes are too many for one release; publish {MOST_CHANGES} each")
        await self.keep(kept)
        tenant = release.tenant_id
        with reachable():
            # A tenant is known by its head; who dies after the insert below is found by a full look at the releases.
            await self._heads.update_one({"_id": tenant}, {"$setOnInsert": {"number": 0}}, upsert=True)
            try:
                await self._releases.insert_one({"_id": _key(tenant, str(release.number)), **asdict(release)})
            except DuplicateKeyError:
                raise Conflict("the knowledge was changed by somebody else at the same time; try again") from None
            await self._heads.update_one({"_id": tenant}, {"$max": {"number": release.number}})

    async def records(self, tenant: str, chunk_sets: Sequence[str]) -> Mapping[str, Record]:
        """Contents without passages."""
        rows = await _found(self._contents, tenant, chunk_sets, {"passages": 0})
        found = (record_of(tenant, {name: row[name] for name in COLUMNS}, row["labels"]) for row in rows.values())
        return {record.chunk_set: record for record in found}

    async def chunks(self, tenant: str, chunk_sets: Sequence[str]) -> Mapping[str, list[Chunk]]:
        """The passages of these contents."""
        contents = await _found(self._contents, tenant, chunk_sets, {"passages": 1})
        wanted = list(dict.fromkeys(name for row in contents.values() for name in row["passages"]))
        texts = await _found(self._passages, tenant, wanted, {"place": 1, "text": 1})
        found: dict[str, list[Chunk]] = defaultdict(list)
        for key, row in contents.items():
            passages = (texts[_key(tenant, name)] for name in row["passages"])
            found[key.removeprefix(f"{tenant}/")] = [Chunk(p["place"], p["text"]) for p in passages]
        return found

    async def open_proposal(self, proposal: Proposal) -> None:
        """Begin a draft."""
        with reachable():
            key = _key(proposal.tenant_id, proposal.proposal_id)
            await self._proposals.insert_one({"_id": key, **asdict(proposal), "state": str(proposal.state)})

    async def propose(self, tenant: str, proposal_id: str, wanted: Wanted) -> None:
        """Add to a draft."""
        key = _key(tenant, f"{proposal_id}/{wanted.document_id}")
        row = {"tenant_id": tenant, "proposal_id": proposal_id, **asdict(wanted)}
        with reachable():
            await self._proposed.update_one({"_id": key}, {"$set": row}, upsert=True)

    async def proposals(self, tenant: str) -> list[Proposal]:
        """All of them, the latest first."""
        with reachable():
            return [_proposal(row) async for row in self._proposals.find({"tenant_id": tenant}).sort("at", -1)]

    async def proposal(self, tenant: str, proposal_id: str) -> Proposal | None:
        """One of them."""
        with reachable():
            row = await self._proposals.find_one({"_id": _key(tenant, proposal_id), "tenant_id": tenant})
        return _proposal(row) if row else None

    async def proposed(self, tenant: str, proposal_id: str) -> list[Wanted]:
        """What a draft holds."""
        wanted = {"tenant_id": tenant, "proposal_id": proposal_id}
        with reachable():
            rows = self._proposed.find(wanted).sort("uri", 1)
            return [Wanted(row["document_id"], row["uri"], row["chunk_set"], row["source"]) async for row in rows]

    async def move(self, proposal: Proposal, state: State, number: int = 0) -> bool:
        """Compare and set the state."""
        expected = {"_id": _key(proposal.tenant_id, proposal.proposal_id), "state": str(proposal.state)}
        with reachable():
            outcome = await self._proposals.update_one(expected, {"$set": {"state": str(state), "number": number}})
        return bool(outcome.matched_count == 1)


async def _insert(collection: Any, rows: Mapping[str, dict[str, Any]]) -> None:
    """Write what is not there yet; who writes the same at the same time writes the same."""
    keys = list(rows)
    for begin in range(0, len(keys), _AT_ONCE):
        some = keys[begin : begin + _AT_ONCE]
        with reachable():
            there = {row["_id"] async for row in collection.find({"_id": {"$in": some}}, {"_id": 1})}
            new = [{"_id": key, **rows[key]} for key in some if key not in there]
            try:
                if new:
                    await collection.insert_many(new, ordered=False)
            except BulkWriteError as error:
                if any(one.get("code") != _TWICE for one in (error.details or {}).get("writeErrors", [])):
                    raise


async def _found(collection: Any, tenant: str, names: Sequence[str], shown: dict[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for begin in range(0, len(names), _AT_ONCE):
        keys = [_key(tenant, name) for name in names[begin : begin + _AT_ONCE]]
        wanted = {"_id": {"$in": keys}, "tenant_id": tenant}  # a name with a slash may be another tenant's key
        with reachable():
            async for row in collection.find(wanted, shown):
                found[row["_id"]] = row
    return found


def _passage(tenant: str, chunk: Chunk) -> dict[str, Any]:
    return {"tenant_id": tenant, "place": chunk.place, "text": chunk.text}


def _content(kept: Kept) -> dict[str, Any]:
    values = {name: getattr(kept.record, name) for name in COLUMNS}
    passages = [chunk.hash for chunk in kept.chunks]
    labels = labels_json(kept.record.labels)
    return {"tenant_id": kept.record.tenant_id, **values, "labels": labels, "passages": passages}


def _release(row: dict[str, Any]) -> Release:
    changes = tuple(Change(**change) for change in row["changes"])
    named = {name: row[name] for name in ("tenant_id", "number", "at", "author", "note", "proposal_id")}
    return Release(**named, changes=changes)


def _proposal(row: dict[str, Any]) -> Proposal:
    named = {name: row[name] for name in ("tenant_id", "proposal_id", "at", "author", "note", "number")}
    return Proposal(**named, state=State(row["state"]))


def _key(tenant: str, name: str) -> str:
    return f"{tenant}/{name}"
