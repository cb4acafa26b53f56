"""What knowledge answers over gRPC about drafts and versions."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from parley.contracts.v1 import (
    DiffVersionsRequest,
    DiffVersionsResponse,
    DocumentDifference,
    GetDocumentRequest,
    GetDocumentResponse,
    KnowledgeServicer,
    ListDraftsRequest,
    ListDraftsResponse,
    ListVersionsRequest,
    ListVersionsResponse,
    MoveDraftRequest,
    MoveDraftResponse,
    OpenDraftRequest,
    OpenDraftResponse,
    Passage,
    RollbackRequest,
    RollbackResponse,
)
from parley.core import Invalid, NotFound, Unavailable
from parley_knowledge.documents import Chunk
from parley_knowledge.library import Library
from parley_knowledge.releases import Change, Difference, State, differences
from parley_knowledge.search import plain
from parley_knowledge.wording import document_of, draft_of, named, short, version_of

SEEN_SECONDS: Final = 20.0  # that publishing waits until this replica searches what it has published
MOST_LISTED: Final = 500
MOST_DIFFERENCES: Final = 500  # documents whose passages are compared in one answer
MOST_BYTES: Final = 2_000_000  # of passages in one answer


class VersionsGrpc(KnowledgeServicer):
    """The half of the Knowledge service that is about versions."""

    _library: Library

    async def GetDocument(self, request: GetDocumentRequest, context: Any) -> GetDocumentResponse:  # noqa: N802
        """A document with its passages, live or as it was in a version."""
        tenant, document_id = named("tenant_id", request.tenant_id), named("document_id", request.document_id)
        history = await self._library.annals.of(tenant)
        number = request.knowledge_version or history.number
        change = history.at(number).get(document_id)
        if change is None:
            raise NotFound(f"there is no document {document_id} in version {number}")
        (record,) = await self._library.records(tenant, [change])
        chunks = (await self._library.store.chunks(tenant, [change.chunk_set])).get(change.chunk_set, [])
        return GetDocumentResponse(document=document_of(record), passages=_bounded(chunks), knowledge_version=number)

    async def OpenDraft(self, request: OpenDraftRequest, context: Any) -> OpenDraftResponse:  # noqa: N802
        """Begin a draft."""
        tenant = named("tenant_id", request.tenant_id)
        author, note = short("author", request.author), short("note", request.note)
        proposal = await self._library.editor.open_proposal(tenant, author=author, note=note)
        return OpenDraftResponse(draft=draft_of(proposal))

    async def ListDrafts(self, request: ListDraftsRequest, context: Any) -> ListDraftsResponse:  # noqa: N802
        """The drafts of a tenant, the latest first."""
        found = await self._library.store.proposals(named("tenant_id", request.tenant_id))
        return ListDraftsResponse(drafts=[draft_of(one) for one in found[:MOST_LISTED]])

    async def MoveDraft(self, request: MoveDraftRequest, context: Any) -> MoveDraftResponse:  # noqa: N802
        """Hand in, publish or drop a draft. What was published is searched here when this returns."""
        tenant, draft_id = named("tenant_id", request.tenant_id), named("draft_id", request.draft_id)
        editor = self._library.editor
        if request.state == State.REVIEW:
            moved = await editor.submit(tenant, draft_id)
        elif request.state == State.DROPPED:
            moved = await editor.drop(tenant, draft_id)
        elif request.state == State.LIVE:
            moved = await editor.publish(tenant, draft_id, author=short("author", request.author))
            await self._seen()
        else:
            raise Invalid(f'state is "{request.state[:40]}"; expected review, live or dropped')
        return MoveDraftResponse(draft=draft_of(moved))

    async def ListVersions(self, request: ListVersionsRequest, context: Any) -> ListVersionsResponse:  # noqa: N802
        """The versions of a tenant's knowledge, the latest first."""
        history = await self._library.annals.of(named("tenant_id", request.tenant_id))
        before = request.before or history.number + 1
        found = [release for release in reversed(history.releases) if release.number < before]
        return ListVersionsResponse(
            versions=[version_of(release) for release in found[: min(request.limit or 50, MOST_LISTED)]]
        )

    async def DiffVersions(self, request: DiffVersionsRequest, context: Any) -> DiffVersionsResponse:  # noqa: N802
        """What differs between two versions, or what a draft would change."""
        tenant = named("tenant_id", request.tenant_id)
        history = await self._library.annals.of(tenant)
        end = request.to_version or history.number
        begin = history.number if request.draft_id else request.from_version
        if max(begin, end) > history.number:
            raise NotFound(f"there is no version {max(begin, end)}; the last one is {history.number}")
        before, after = history.at(begin), history.at(end)
        if request.draft_id:
            after = dict(before)
            await self._library.editor.proposal(tenant, request.draft_id)
            for change in history.changes_for(await self._library.store.proposed(tenant, request.draft_id)):
                after[change.document_id] = change
        found = [await self._differing(tenant, one) for one in differences(before, after)[:MOST_DIFFERENCES]]
        return DiffVersionsResponse(documents=found, from_version=begin, to_version=end)

    async def Rollback(self, request: RollbackRequest, context: Any) -> RollbackResponse:  # noqa: N802
        """Make a version live again, as a new one."""
        tenant = named("tenant_id", request.tenant_id)
        author, note = short("author", request.author), short("note", request.note)
        release = await self._library.editor.rollback(tenant, request.to_version, author=author, note=note)
        await self._seen()
        number = release.number if release else (await self._library.annals.of(tenant)).number
        return RollbackResponse(knowledge_version=number, changes=len(release.changes) if release else 0)

    async def _differing(self, tenant: str, one: Difference) -> DocumentDifference:
        before, after = await self._passages(tenant, one.before), await self._passages(tenant, one.after)
        change = one.after or one.before
        kept = Counter(before) & Counter(after)
        return DocumentDifference(
            document_id=change.document_id if change else "",
            uri=one.uri,
            version_before=one.before.version if one.before else 0,
            version_after=one.after.version if one.after and one.after.chunk_set else 0,
            gone=_bounded(list(Counter(before) - kept)),
            come=_bounded(list(Counter(after) - kept)),
            same=kept.total(),
        )

    async def _passages(self, tenant: str, change: Change | None) -> list[Chunk]:
        if change is None or not change.chunk_set:
            return []
        return (await self._library.store.chunks(tenant, [change.chunk_set])).get(change.chunk_set, [])

    async def _seen(self) -> None:
        """Search from now on what was published; where that takes long it is seen when it is ready."""
        if not self._library.ready.is_set():
            return
        try:
            async with asyncio.timeout(SEEN_SECONDS):
                await self._library.refresh()
        except (TimeoutError, Unavailable):
            return


def _bounded(chunks: Sequence[Chunk]) -> list[Passage]:
    """The passages as they are shown, up to what an answer can carry."""
    found, left = [], MOST_BYTES
    for chunk in chunks:
        left -= len(chunk.text.encode())
        if left < 0:
            break
        found.append(Passage(place=chunk.place, text=plain(chunk.text)))
    return found
