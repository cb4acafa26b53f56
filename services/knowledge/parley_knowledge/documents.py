"""What knowledge holds: documents, the passages they are cut into, and drafts of what may become one."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """A document as it was read, before it is stored. `text` is Markdown."""

    uri: str  # names the document within its tenant, such as "handbook/zh/returns.md"
    title: str
    text: str
    language: str = ""  # zh or en; found from the text when empty


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage: what is searched, scored and shown. Lines of `text` that begin with "# " are headings."""

    place: str  # heading path within the document
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """A stored document without its passages. A removed one stays, so that its versions go on counting."""

    tenant_id: str
    document_id: str
    uri: str
    title: str
    language: str
    version: int
    content_hash: str
    chunk_set: str  # names the passages of this version; never used twice
    chunk_count: int
    source: str = ""  # the watched folder that it came from; empty when it was put by hand
    removed: bool = False


def document_id_of(uri: str) -> str:
    """The id of the document at `uri`: the same on every machine, so that putting it again replaces it."""
    return f"doc_{hashlib.blake2b(uri.encode(), digest_size=10).hexdigest()}"


def content_hash_of(draft: Draft) -> str:
    """Changes when anything that a visitor could see changes."""
    seen = f"{draft.title}\0{draft.language}\0{draft.text}"
    return hashlib.blake2b(seen.encode(), digest_size=16).hexdigest()
