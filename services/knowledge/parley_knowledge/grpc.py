"""What knowledge answers over gRPC. Each call names its tenant and sees nothing of any other."""

from typing import Any, Final

from parley.contracts.v1 import (
    ListDocumentsRequest,
    ListDocumentsResponse,
    PutDocumentRequest,
    PutDocumentResponse,
    RemoveDocumentRequest,
    RemoveDocumentResponse,
    SearchRequest,
    SearchResponse,
)
from parley.core import Invalid
from parley.telemetry import histogram, names, span
from parley_knowledge.documents import Draft, Scope
from parley_knowledge.explain import explained
from parley_knowledge.ingest import MAX_TEXT_BYTES
from parley_knowledge.library import Library
from parley_knowledge.search import Findings
from parley_knowledge.versions_grpc import VersionsGrpc
from parley_knowledge.wording import document_of, fact_of, labels_from, named, short, source_of

DEFAULT_HITS: Final = 5
MOST_HITS: Final = 50
MOST_LISTED: Final = 1000
DEFAULT_LISTED: Final = 100
LONGEST_QUERY: Final = 8_000  # characters


class KnowledgeGrpc(VersionsGrpc):
    """The Knowledge service of the contracts. What it raises, the server turns into status codes."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._seconds = histogram(names.SEARCH_SECONDS)

    async def Search(self, request: SearchRequest, context: Any) -> SearchResponse:  # noqa: N802 - gRPC's name
        """Find the passages that answer a question."""
        tenant = named("tenant_id", request.tenant_id)
        query = request.query.strip()
        if not query:
            raise Invalid("query is empty; send the visitor's question")
        if len(query) > LONGEST_QUERY:
            raise Invalid(f"query has {len(query)} characters; send at most {LONGEST_QUERY}")
        limit = min(request.limit or DEFAULT_HITS, MOST_HITS)
        with span(names.SEARCH) as recording, self._seconds.time():
            scope = Scope(request.audience, request.channel, self._library.clock.now())
            findings = await self._library.search(
                tenant, query, limit=limit, language=request.language, scope=scope, version=request.knowledge_version
            )
            recording.set(names.TENANT, tenant)
            recording.set(names.LANGUAGE, findings.language)
            recording.set(names.COUNT, len(findings.hits))
            recording.set(names.CONFIDENCE, findings.answerable)
        answer = _response(findings)
        answer.facts.extend(fact_of(*one) for one in await self._library.facts(tenant, query, findings))
        if request.explain:
            snapshot = await self._library.snapshot_of(tenant, findings.revision)
            answer.explanation.CopyFrom(explained(snapshot, query, findings, scope))
        return answer

    async def ListDocuments(self, request: ListDocumentsRequest, context: Any) -> ListDocumentsResponse:  # noqa: N802
        """List a tenant's documents by their uris; `next` of one page is `after` of the next."""
        tenant = named("tenant_id", request.tenant_id)
        limit = min(request.limit or DEFAULT_LISTED, MOST_LISTED)
        found = await self._library.page(tenant, request.after, limit + 1, version=request.knowledge_version)
        following = found[limit - 1].uri if len(found) > limit else ""
        return ListDocumentsResponse(documents=[document_of(record) for record in found[:limit]], next=following)

    async def PutDocument(self, request: PutDocumentRequest, context: Any) -> PutDocumentResponse:  # noqa: N802
        """Add or replace a document."""
        tenant = named("tenant_id", request.tenant_id)
        uri = named("uri", request.uri)
        if not request.text.strip():
            raise Invalid(f"{uri} has no text; put at least one sentence into it")
        if len(request.text.encode()) > MAX_TEXT_BYTES:
            raise Invalid(f"{uri} holds more than 5 MB of text; split it")
        title = named("title", request.title or uri.rsplit("/", 1)[-1])
        draft = Draft(uri, title, request.text, request.language, labels_from(request.labels))
        source, draft_id = short("source", request.source), short("draft_id", request.draft_id)
        record, changed = await self._library.put(tenant, draft, source=source, proposal_id=draft_id)
        return PutDocumentResponse(document=document_of(record), changed=changed)

    async def RemoveDocument(self, request: RemoveDocumentRequest, context: Any) -> RemoveDocumentResponse:  # noqa: N802
        """Remove a document; removing it twice is no error."""
        tenant = named("tenant_id", request.tenant_id)
        document_id = named("document_id", request.document_id)
        draft_id = short("draft_id", request.draft_id)
        return RemoveDocumentResponse(removed=await self._library.remove(tenant, document_id, proposal_id=draft_id))


def _response(findings: Findings) -> SearchResponse:
    return SearchResponse(
        passages=[source_of(hit) for hit in findings.hits],
        answerable=findings.answerable,
        language=findings.language,
        quote=findings.quote,
        knowledge_version=findings.revision,
    )
