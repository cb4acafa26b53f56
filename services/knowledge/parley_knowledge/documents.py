"""What knowledge holds: documents, the passages they are cut into, and drafts of what may become one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

EVERYONE: Final = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """Who may see a document, where and when. Nothing named means everybody, everywhere, always."""

    audiences: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    valid_from: float = 0.0  # unix seconds
    valid_until: float = 0.0  # unix seconds; 0 for no end


@dataclass(frozen=True, slots=True)
class Scope:
    """From where a question comes. A document for certain audiences or channels is seen by no other."""

    audience: str = EVERYONE
    channel: str = ""
    now: float | None = None  # unix seconds; dates are not looked at where it is None

    def sees(self, labels: Labels) -> bool:
        """Whether a document with these labels may be used to answer."""
        if labels.audiences and self.audience not in labels.audiences:
            return False
        if labels.channels and self.channel not in labels.channels:
            return False
        return self.now is None or (labels.valid_from <= self.now and not 0 < labels.valid_until <= self.now)


@dataclass(frozen=True, slots=True)
class Draft:
    """A document as it was read, before it is stored. `text` is Markdown."""

    uri: str  # names the document within its tenant, such as "handbook/zh/returns.md"
    title: str
    text: str
    language: str = ""  # zh or en; found from the text when empty
    labels: Labels = field(default=Labels())


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: what is searched, scored and shown. Lines of `text` that begin with "# " are headings."""

    place: str  # heading path within the document
    text: str

    @property
    def hash(self) -> str:
        """The same for the same passage, in whichever document and version it stands."""
        return _digest(12, self.place, self.text)


@dataclass(frozen=True, slots=True)
class Record:
    """A version of a document without its passages."""

    tenant_id: str
    document_id: str
    uri: str
    title: str
    language: str
    version: int  # 0 until it was live once
    content_hash: str
    chunk_set: str  # names this content with its passages: two records with the same one are the same
    chunk_count: int
    source: str = ""  # the watched folder or site that it came from; empty when it was put by hand
    labels: Labels = field(default=Labels())


def document_id_of(uri: str) -> str:
    """The id of the document at `uri`: the same on every machine, so that putting it again replaces it."""
    return f"doc_{hashlib.blake2b(uri.encode(), digest_size=10).hexdigest()}"


def content_hash_of(draft: Draft) -> str:
    """Changes when anything that a visitor could see changes, or who may see it."""
    labelled = [] if draft.labels == Labels() else [repr(draft.labels)]
    return _digest(16, draft.title, draft.language, draft.text, *labelled)


def chunk_set_of(draft: Draft, chunks: Sequence[Chunk]) -> str:
    """Changes with the content, and with the way in which documents are cut."""
    return "set_" + _digest(16, draft.uri, content_hash_of(draft), *(chunk.hash for chunk in chunks))


def _digest(size: int, *parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=size).hexdigest()
