"""What changes knowledge: documents put and removed, drafts that are reviewed and published, and the way back."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from parley.core import Clock, Conflict, Invalid, NotFound, Unavailable, new_id
from parley.telemetry import Log
from parley_knowledge.annals import Annals
from parley_knowledge.documents import Chunk, Draft, Record, chunk_set_of, content_hash_of, document_id_of
from parley_knowledge.releases import Change, History, Proposal, Release, State, Wanted
from parley_knowledge.store import DocumentStore, Kept
from parley_knowledge.text import language_from

ATTEMPTS: Final = 20  # to publish while somebody else publishes too
PAUSE_SECONDS: Final = 0.02  # after losing; grows with each attempt
TOGETHER: Final = 256  # documents that wait for the one before them become one release

Told = Callable[[Release, Mapping[str, Record]], Awaitable[None]]


async def nobody(_: Release, __: Mapping[str, Record]) -> None:
    """Who is told where nobody listens."""


@dataclass(slots=True, eq=False)
class _Waiting:
    wanted: Wanted
    kept: Kept | None
    done: bool = False
    change: Change | None = None  # none where it stood so already


class Editor:
    """Every change is a release. `published` hears of each at once, `told` what it changed."""

    def __init__(
        self, store: DocumentStore, annals: Annals, clock: Clock, *, told: Told, published: Callable[[], None]
    ) -> None:
        self._store = store
        self._annals = annals
        self._clock = clock
        self._told = told
        self._published = published
        self._queues: dict[str, list[_Waiting]] = defaultdict(list)
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._log = Log("knowledge")

    async def put(
        self, tenant: str, draft: Draft, chunks: Sequence[Chunk], *, source: str = "", proposal_id: str = ""
    ) -> tuple[Record, bool]:
        """Add or replace a document, live or in a draft; the same content twice changes nothing."""
        history = await self._annals.of(tenant)
        record = _record(tenant, draft, source, chunks, history)
        wanted = Wanted(record.document_id, record.uri, record.chunk_set, source)
        if proposal_id:
            change = await self._propose(tenant, proposal_id, wanted, Kept(record, chunks), history)
            return replace(record, version=_version(change, history, record)), change is not None
        stands = history.live.get(record.document_id)
        if stands and not history.changes_for([wanted]):
            return replace(record, version=stands.version), False
        change = await self._together(tenant, _Waiting(wanted, Kept(record, chunks)))
        history = await self._annals.of(tenant)  # where nothing changed, somebody else has put the same meanwhile
        return replace(record, version=_version(change, history, record)), change is not None

    async def remove(self, tenant: str, document_id: str, *, proposal_id: str = "") -> bool:
        """Remove a document; False when there is none."""
        history = await self._annals.of(tenant)
        stands = history.live.get(document_id)
        if stands is None:
            return False
        wanted = Wanted(document_id, stands.uri, "")
        if proposal_id:
            return await self._propose(tenant, proposal_id, wanted, None, history) is not None
        return await self._together(tenant, _Waiting(wanted, None)) is not None

    async def open_proposal(self, tenant: str, *, author: str = "", note: str = "") -> Proposal:
        """Begin a draft, which nobody sees until it is published."""
        proposal = Proposal(tenant, new_id("prop"), self._clock.now(), author, note)
        await self._store.open_proposal(proposal)
        return proposal

    async def submit(self, tenant: str, proposal_id: str) -> Proposal:
        """Hand a draft in for review. Raises NotFound, Conflict."""
        return await self._moved(await self._open(tenant, proposal_id), State.REVIEW)

    async def drop(self, tenant: str, proposal_id: str) -> Proposal:
        """Say that nothing will come of it. Raises NotFound, Conflict."""
        return await self._moved(await self._open(tenant, proposal_id), State.DROPPED)

    async def publish(self, tenant: str, proposal_id: str, *, author: str = "") -> Proposal:
        """Make live what a draft holds, at once and whole; publishing it twice is no error. Raises NotFound."""
        proposal = await self.proposal(tenant, proposal_id)
        if proposal.state is State.LIVE:
            return proposal
        if proposal.state.over:
            raise Conflict(f"{proposal_id} was dropped; ingest the documents again")
        wanted = await self._store.proposed(tenant, proposal_id)
        release = await self._release(
            tenant, lambda history: history.changes_for(wanted), (), author=author or proposal.author,
            note=proposal.note, proposal_id=proposal_id,
        )  # fmt: skip
        return await self._moved(proposal, State.LIVE, release.number if release else 0)

    async def rollback(self, tenant: str, number: int, *, author: str = "", note: str = "") -> Release | None:
        """Release again what was live in a version; None when that is what is live. Raises NotFound."""
        history = await self._annals.of(tenant)
        if not 0 <= number <= history.number:
            raise NotFound(f"there is no version {number}; the versions are 0 (nothing) to {history.number}")
        return await self._release(
            tenant, lambda found: found.changes_back_to(number), (), author=author, note=note or f"back to {number}"
        )

    async def proposal(self, tenant: str, proposal_id: str) -> Proposal:
        """Raises NotFound."""
        found = await self._store.proposal(tenant, proposal_id)
        if found is None:
            raise NotFound(f"there is no draft {proposal_id}; `knowledge-cli drafts` lists those that are")
        return found

    async def _open(self, tenant: str, proposal_id: str) -> Proposal:
        found = await self.proposal(tenant, proposal_id)
        if found.state.over:
            raise Conflict(f"{proposal_id} is {found.state} already; open a new draft")
        return found

    async def _moved(self, proposal: Proposal, state: State, number: int = 0) -> Proposal:
        if not await self._store.move(proposal, state, number):
            now = await self.proposal(proposal.tenant_id, proposal.proposal_id)
            if now.state is not state:
                raise Conflict(f"{proposal.proposal_id} is {now.state} meanwhile; look at it again")
            return now
        return replace(proposal, state=state, number=number)

    async def _propose(
        self, tenant: str, proposal_id: str, wanted: Wanted, kept: Kept | None, history: History
    ) -> Change | None:
        """Keep in a draft what it would change if it were published now; None where that is nothing."""
        await self._open(tenant, proposal_id)
        changes = history.changes_for([wanted])
        if not changes:
            return None
        if kept:
            await self._store.keep([kept])
        await self._store.propose(tenant, proposal_id, wanted)
        return changes[0]

    async def _together(self, tenant: str, waiting: _Waiting) -> Change | None:
        """Publish with others that wait; whoever comes first does it for all."""
        queue = self._queues[tenant]
        queue.append(waiting)
        try:
            async with self._turns[tenant]:
                while not waiting.done:
                    await self._publish_group(tenant, _first_of_each(queue))
        finally:
            queue.remove(waiting)
        return waiting.change

    async def _publish_group(self, tenant: str, group: list[_Waiting]) -> None:
        wanted, kept = [one.wanted for one in group], [one.kept for one in group if one.kept]
        release = await self._release(tenant, lambda history: history.changes_for(wanted), kept)
        changes = {change.document_id: change for change in release.changes} if release else {}
        for one in group:
            one.done, one.change = True, changes.get(one.wanted.document_id)

    async def _release(
        self,
        tenant: str,
        changes_of: Callable[[History], tuple[Change, ...]],
        kept: Sequence[Kept],
        *,
        author: str = "",
        note: str = "",
        proposal_id: str = "",
    ) -> Release | None:
        """Publish what has to change; of writers at once one wins and the others look again at what is live then."""
        for attempt in range(ATTEMPTS):
            history = await self._annals.of(tenant)
            changes = changes_of(history)
            if not changes:
                return None
            release = Release(tenant, history.number + 1, self._clock.now(), changes, author, note, proposal_id)
            try:
                await self._store.publish(release, kept)
            except Conflict:
                await self._clock.sleep(PAUSE_SECONDS * attempt)
                continue
            self._published()
            await self._tell(release, kept)
            return release
        raise Conflict("others change this knowledge all the time; try again later")

    async def _tell(self, release: Release, kept: Sequence[Kept]) -> None:
        records = {one.record.chunk_set: one.record for one in kept}
        missing = [c.chunk_set for c in release.changes if c.chunk_set and c.chunk_set not in records]
        try:
            records |= await self._store.records(release.tenant_id, missing)
            await self._told(release, records)
        except Unavailable as error:  # the release stands; who missed the facts can list the documents
            self._log.warning("release.untold", release=release.number, error=str(error))


def _version(change: Change | None, history: History, record: Record) -> int:
    stands = change or history.live.get(record.document_id)
    return stands.version if stands else 0


def _first_of_each(queue: Sequence[_Waiting]) -> list[_Waiting]:
    """Those that can be published at once: one change of each document."""
    found: dict[str, _Waiting] = {}
    for one in queue:
        if not one.done:
            found.setdefault(one.wanted.document_id, one)
        if len(found) == TOGETHER:
            break
    return list(found.values())


def _record(tenant: str, draft: Draft, source: str, chunks: Sequence[Chunk], history: History) -> Record:
    if not chunks:
        raise Invalid(f"{draft.uri} holds no text; put at least one sentence into it")
    labels = draft.labels
    if labels.valid_until and labels.valid_until <= labels.valid_from:
        raise Invalid(f"{draft.uri} would be valid until before it is valid from; give a later end")
    return Record(
        tenant_id=tenant,
        document_id=document_id_of(draft.uri),
        uri=draft.uri,
        title=draft.title,
        language=language_from(draft.language, draft.text),
        version=0,
        content_hash=content_hash_of(draft),
        chunk_set=chunk_set_of(draft, chunks),
        chunk_count=len(chunks),
        source=source,
        labels=labels,
    )
