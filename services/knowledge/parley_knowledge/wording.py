"""From what knowledge holds to the contracts, and checks of what callers name."""

from typing import Final

from parley.contracts.v1 import Document, KeyFact, KnowledgeDraft, KnowledgeVersion, Source
from parley.contracts.v1 import Labels as LabelsMessage
from parley.core import Invalid
from parley_knowledge.documents import Labels, Record
from parley_knowledge.facts import Fact
from parley_knowledge.releases import Proposal, Release
from parley_knowledge.search import Hit, plain

LONGEST_NAME: Final = 1_000  # characters of a tenant, uri or title
MOST_LABELS: Final = 50
LONGEST_LABEL: Final = 100


def named(field: str, value: str) -> str:
    """A value that has to be there. Raises Invalid."""
    if not value.strip():
        raise Invalid(f"{field} is missing; every call to knowledge names it")
    return short(field, value)


def short(field: str, value: str) -> str:
    """A value that may be there. Raises Invalid."""
    if len(value) > LONGEST_NAME or "\0" in value:
        raise Invalid(f"{field} must have at most {LONGEST_NAME} characters and no NUL")
    return value


def labels_from(message: LabelsMessage) -> Labels:
    """Raises Invalid."""
    for name in (*message.audiences, *message.channels):
        if not name.strip() or len(name) > LONGEST_LABEL:
            raise Invalid(f"an audience or channel must have 1 to {LONGEST_LABEL} characters")
    if max(len(message.audiences), len(message.channels)) > MOST_LABELS:
        raise Invalid(f"a document may name at most {MOST_LABELS} audiences and {MOST_LABELS} channels")
    audiences, channels = (tuple(sorted(set(some))) for some in (message.audiences, message.channels))
    return Labels(audiences, channels, max(message.valid_from, 0.0), max(message.valid_until, 0.0))


def source_of(hit: Hit) -> Source:
    """A hit as an answer's source."""
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


def fact_of(fact: Fact, share: float) -> KeyFact:
    """A key fact with its evidence."""
    return KeyFact(
        kind=str(fact.kind), subject=fact.subject, attribute=fact.attribute, value=fact.value,
        chunk_id=fact.chunk_id, line=fact.line, share=share,
    )  # fmt: skip


def document_of(record: Record) -> Document:
    """A document without its passages."""
    labels = record.labels
    return Document(
        document_id=record.document_id,
        title=record.title,
        language=record.language,
        version=record.version,
        chunks=record.chunk_count,
        uri=record.uri,
        source=record.source,
        labels=LabelsMessage(
            audiences=labels.audiences,
            channels=labels.channels,
            valid_from=labels.valid_from,
            valid_until=labels.valid_until,
        ),
    )


def draft_of(proposal: Proposal) -> KnowledgeDraft:
    """A draft as its author sees it."""
    return KnowledgeDraft(
        draft_id=proposal.proposal_id,
        state=str(proposal.state),
        author=proposal.author,
        note=proposal.note,
        opened_at=proposal.at,
        knowledge_version=proposal.number,
    )


def version_of(release: Release) -> KnowledgeVersion:
    """A release as a line of the list of versions."""
    return KnowledgeVersion(
        number=release.number,
        published_at=release.at,
        author=release.author,
        note=release.note,
        draft_id=release.proposal_id,
        changes=len(release.changes),
    )
