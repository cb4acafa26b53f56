"""A knowledge base as the product makes it: files read by its ingest, stored by its store, indexed by its index."""

import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from parley_knowledge.documents import Draft
from parley_knowledge.index import Snapshot
from parley_knowledge.ingest import read_file, walk
from parley_knowledge.library import open_library
from parley_knowledge.search import Findings, search
from parley_knowledge.settings import KnowledgeSettings
from parley_knowledge.store import open_documents
from parley_knowledge.vectors import Nearness
from parley_knowledge.vectors.opening import open_nearness

TENANT = "evaluation"
DEPTH = 50


def drafts_of(path: Path) -> list[Draft]:
    """The documents under a path, as `knowledge-cli ingest` reads them."""
    return [draft for found in walk(path) for draft in read_file(found) if isinstance(draft, Draft)]


@asynccontextmanager
async def a_base(drafts: Sequence[Draft]) -> AsyncIterator[Snapshot]:
    """What a search sees once these documents were taught."""
    with tempfile.TemporaryDirectory(prefix="parley-evaluation-") as folder:
        async with open_documents(f"sqlite:///{folder}/evaluation.db") as store, open_library(store) as library:
            for draft in drafts:
                await library.put(TENANT, draft)
            await library.refresh()
            yield library.snapshot(TENANT)


@asynccontextmanager
async def vectors_of(snapshot: Snapshot) -> AsyncIterator[Nearness | None]:
    """The vectors of all passages, by the embeddings server that PARLEY_KNOWLEDGE_EMBEDDINGS_URL names; else none."""
    with tempfile.TemporaryDirectory(prefix="parley-evaluation-") as folder:
        async with open_nearness(KnowledgeSettings.load(), Path(folder)) as nearness:
            if nearness:
                await nearness.follow(TENANT, snapshot)
            yield nearness


def documents_found(
    snapshot: Snapshot, query: str, language: str = "", near: Sequence[int] = ()
) -> tuple[list[str], Findings]:
    """The uris of the documents found, best first, each once; and the findings themselves."""
    findings = search(snapshot, query, limit=DEPTH, language=language, near=near)
    return list(dict.fromkeys(hit.passage.record.uri for hit in findings.hits)), findings


Named = Callable[[str], str]


def id_of(uri: str) -> str:
    """The set's own id of a document: what follows `#`, or the file's name without its ending."""
    return uri.rpartition("#")[2] if "#" in uri else Path(uri).stem
