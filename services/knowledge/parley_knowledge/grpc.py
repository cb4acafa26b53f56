"""What knowledge answers over gRPC. Each call names its tenant and sees nothing of any other."""

from typing import Any, Final

from parley.contracts.v1 import (
    Document,
    KnowledgeServicer,
    ListDocumentsRequest,
    ListDocumentsResponse,
    PutDocumentRequest,
    PutDocumentResponse,
    RemoveDocumentRequest,
    RemoveDocumentResponse,
    SearchRequest,
    SearchResponse,
    Source,
)
from parley.core import Invalid
from parley.telemetry import histogram, names, span
from parley_knowledge.documents import Draft, Record
from parley_knowledge.ingest import MAX_TEXT_BYTES
from parley_knowledge.library import Library
from parley_knowledge.search import Findings, Hit, plain

DEFAULT_HITS: Final = 5
MOST_HITS: Final = 50
MOST_LISTED: Final = 1000
DEFAULT_LISTED: Final = 100
LONGEST_QUERY: Final = 8_000  # characters
LONGEST_NAME: Final = 1_000  # characters of a tenant, uri or title


class KnowledgeGrpc(KnowledgeServicer):
    """The Knowledge service of the contracts. What it raises, the server turns into status codes."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._seconds = histogram(names.SEARCH_SECONDS)

    async def Search(self, request: SearchRequest, context: Any) -> SearchResponse:  # noqa: N802 - gRPC's name
        """Find the passages that answer a question."""
        tenant = _named("tenant_id", request.tenant_id)
        query = request.query.strip()
        if not query:
            raise Invalid("query is empty; send the visitor's question")
        if len(query) > LONGEST_QUERY:
            raise Invalid(f"query has {len(query)} characters; send at most {LONGEST_QUERY}")
        limit = min(request.limit or DEFAULT_HITS, MOST_HITS)
        with span(names.SEARCH) as recording, self._seconds.time():
            findings = await self._library.search(tenant, query, limit=limit, language=request.language)
            recording.set(names.TENANT, tenant)
            recording.set(names.LANGUAGE, findings.language)
            recording.set(names.COUNT, len(findings.hits))
            recording.set(names.CONFIDENCE, findings.answerable)
        return _response(findings)

    async def ListDocuments(self, request: ListDocumentsRequest, context: Any) -> ListDocumentsResponse:  # noqa: N802
        """List a tenant's documents by their uris; `next` of one page is `after` of the next."""
        tenant = _named("tenant_id", request.tenant_id)
        limit = min(request.limit or DEFAULT_LISTED, MOST_LISTED)
        found = await self._library.store.page(tenant, request.after, limit + 1)
        following = found[limit - 1].uri if len(found) > limit else ""
        return ListDocumentsResponse(documents=[_document(record) for record in found[:limit]], next=following)

    async def PutDocument(self, request: PutDocumentRequest, context: Any) -> PutDocumentResponse:  # noqa: N802
        """Add or replace a document."""
        tenant = _named("tenant_id", request.tenant_id)
        uri = _named("uri", request.uri)
        if not request.text.strip():
            raise Invalid(f"{uri} has no text; put at least one sentence into it")
        if len(request.text.encode()) > MAX_TEXT_BYTES:
            raise Invalid(f"{uri} holds more than 5 MB of text; split it")
        title = _named("title", request.title or uri.rsplit("/", 1)[-1])
        record, changed = await self._library.put(tenant, Draft(uri, title, request.text, request.language))
        return PutDocumentResponse(document=_document(record), changed=changed)

    async def RemoveDocument(self, request: RemoveDocumentRequest, context: Any) -> RemoveDocumentResponse:  # noqa: N802
        """Remove a document; removing it twice is no error."""
        tenant = _named("tenant_id", request.tenant_id)
        document_id = _named("document_id", request.document_id)
        return RemoveDocumentResponse(removed=await self._library.remove(tenant, document_id))


def _named(field: str, value: str) -> str:
    if not value.strip():
        raise Invalid(f"{field} is missing; every call to knowledge names it")
    if len(value) > LONGEST_NAME or "\0" in value:
        raise Invalid(f"{field} must have at most {LONGEST_NAME} characters and no NUL")
    return value


def _response(findings: Findings) -> SearchResponse:
    return SearchResponse(
        passages=[_source(hit) for hit in findings.hits],
        answerable=findings.answerable,
        language=findings.language,
        quote=findings.quote,
        knowledge_version=findings.revision,
    )


def _source(hit: Hit) -> Source:
    record, chunk = hit.passage.record, hit.passage.chunk
    return Source(
        document_id=record.document_id,
        title=record.title,
        version=record.version,
        passage=plain(chunk.text),
        place=chunk.place,
        uri=record.uri,
        score=hit.score,
        chunk_id=hit.passage.chunk_id,
    )


def _document(record: Record) -> Document:
    return Document(
        document_id=record.document_id,
        title=record.title,
        language=record.language,
        version=record.version,
        chunks=record.chunk_count,
        uri=record.uri,
    )
