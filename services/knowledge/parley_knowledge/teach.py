"""One run of `ingest`: read files, put their documents into a draft, publish it at once, count what became of each."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from parley.contracts.v1 import (
    Document,
    Labels,
    ListDocumentsRequest,
    ListDocumentsResponse,
    MoveDraftRequest,
    MoveDraftResponse,
    OpenDraftRequest,
    OpenDraftResponse,
    PutDocumentRequest,
    PutDocumentResponse,
    RemoveDocumentRequest,
    RemoveDocumentResponse,
)
from parley.core import Invalid
from parley_knowledge.documents import Draft
from parley_knowledge.ingest import Found, Reading, Refusal, kinds, readable, walk
from parley_knowledge.reach import Knowledge
from parley_knowledge.releases import State
from parley_knowledge.settings import Folder

AT_ONCE: Final = 16
PAGE: Final = 500  # documents that are listed in one answer


@dataclass
class Summary:
    """What a run has done."""

    files: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    passages: int = 0
    seconds: float = 0.0
    draft_id: str = ""
    state: str = ""  # of the draft; empty where nothing changed
    knowledge_version: int = 0  # that is live with this; 0 where nothing changed or it waits
    refused: list[Refusal] = field(default_factory=list)
    left_out: list[Refusal] = field(default_factory=list)  # kinds of file that are never read

    @property
    def documents(self) -> int:
        """Documents that stand now."""
        return self.added + self.changed + self.unchanged

    @property
    def changes(self) -> int:
        """Documents that are not as they were."""
        return self.added + self.changed + self.removed

    def __add__(self, other: "Summary") -> "Summary":
        """What two runs have done, and how the later one ended."""
        counts = {name: getattr(self, name) + getattr(other, name) for name in _COUNTED}
        return replace(other, **counts)


_COUNTED: Final = (
    "files", "added", "changed", "unchanged", "removed", "passages", "seconds", "refused", "left_out",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What a run is told by its caller."""

    tenant: str
    source: str = ""
    author: str = ""
    note: str = ""
    labels: Labels = field(default_factory=Labels)
    state: State = State.LIVE  # that its draft is brought to


def files_of(paths: Sequence[Path]) -> tuple[list[Found], list[Refusal]]:
    """The files to read, and those in folders that are of no kind we read. A file named by itself is always tried."""
    found = [(one, path) for path in paths for one in walk(path)]
    wanted = [one for one, path in found if path.is_file() or readable(one.path)]
    reason = f"is of a kind that is not read; these are: {kinds()}"
    return wanted, [Refusal(one.uri, reason) for one, path in found if not (path.is_file() or readable(one.path))]


class Teaching:
    """Puts documents into one draft and publishes it; a run that is killed leaves what is live as it was."""

    def __init__(self, knowledge: Knowledge, run: Run) -> None:
        self.summary = Summary()
        self._knowledge = knowledge
        self.run = run

    async def open(self) -> None:
        """Begin the draft."""
        run = self.run
        request = OpenDraftRequest(tenant_id=run.tenant, author=run.author, note=run.note)
        self.summary.draft_id = (await self._knowledge.ask(OpenDraftResponse, request)).draft.draft_id

    async def put(self, draft: Draft) -> None:
        """Add a document; one that is refused is counted, and the rest goes on."""
        run, summary = self.run, self.summary
        request = PutDocumentRequest(
            tenant_id=run.tenant, uri=draft.uri, title=draft.title, text=draft.text, language=draft.language,
            draft_id=summary.draft_id, labels=run.labels, source=run.source,
        )  # fmt: skip
        try:
            answer = await self._knowledge.ask(PutDocumentResponse, request)
        except Invalid as error:
            summary.refused.append(Refusal(draft.uri, str(error)))
            return
        summary.passages += answer.document.chunks
        if not answer.changed:
            summary.unchanged += 1
        elif answer.document.version == 1:
            summary.added += 1
        else:
            summary.changed += 1

    async def remove(self, document_id: str) -> None:
        """Remove a document with the rest."""
        request = RemoveDocumentRequest(
            tenant_id=self.run.tenant, document_id=document_id, draft_id=self.summary.draft_id
        )
        self.summary.removed += (await self._knowledge.ask(RemoveDocumentResponse, request)).removed

    async def close(self) -> Summary:
        """Publish the draft, or bring it to where the run wants it; one that changes nothing is dropped."""
        summary = self.summary
        state = self.run.state if summary.changes else State.DROPPED
        if state is not State.DRAFT:
            request = MoveDraftRequest(
                tenant_id=self.run.tenant, draft_id=summary.draft_id, state=state, author=self.run.author
            )
            moved = (await self._knowledge.ask(MoveDraftResponse, request)).draft
            summary.knowledge_version = moved.knowledge_version
        summary.state = str(state) if summary.changes else ""
        summary.refused.sort(key=lambda refusal: refusal.name)
        return summary


async def teach(
    knowledge: Knowledge, run: Run, paths: Sequence[Path], *, advanced: Callable[[int, int], None]
) -> Summary:
    """Ingest paths; `advanced` hears of files done and files in all. Doing it again changes only what has changed."""
    began = time.monotonic()
    files, left_out = await asyncio.to_thread(files_of, paths)
    teaching = Teaching(knowledge, run)
    teaching.summary.files, teaching.summary.left_out = len(files), left_out
    await teaching.open()
    await read_into(teaching, files, advanced=advanced)
    summary = await teaching.close()
    summary.seconds = time.monotonic() - began
    return summary


async def synchronise(
    knowledge: Knowledge, run: Run, paths: Sequence[Path], *, advanced: Callable[[int, int], None]
) -> Summary:
    """Like `teach` for each folder, and remove what came from it and is there no more. Raises Invalid for a file.

    A file that is refused keeps its last good version; a folder that holds no file at all forgets nothing.
    """
    total = Summary()
    for path in paths:
        if not path.is_dir():
            raise Invalid(f"{path} is no folder; `ingest` teaches single files")
        began = time.monotonic()
        files, left_out = await asyncio.to_thread(files_of, [path])
        source = Folder(run.tenant, path).source
        teaching = Teaching(knowledge, replace(run, source=source))
        teaching.summary.files, teaching.summary.left_out = len(files), left_out
        await teaching.open()
        became = await read_into(teaching, files, advanced=advanced)
        if files:
            await _forget(knowledge, teaching, source, became)
        summary = await teaching.close()
        summary.seconds = time.monotonic() - began
        total = total + summary
    return total


async def _forget(
    knowledge: Knowledge, teaching: "Teaching", source: str, became: Mapping[str, list[Draft | Refusal]]
) -> None:
    kept = {one.uri for read in became.values() for one in read if isinstance(one, Draft)}
    spared = {file for file, read in became.items() if any(isinstance(one, Refusal) for one in read)}
    async for document in listed(knowledge, teaching.run.tenant):
        file, _, _ = document.uri.partition("#")
        if document.source == source and document.uri not in kept and file not in spared:
            await teaching.remove(document.document_id)


async def listed(knowledge: Knowledge, tenant: str, version: int = 0) -> AsyncIterator[Document]:
    """Every document of a tenant that is live, or was in a version."""
    after = ""
    while True:
        request = ListDocumentsRequest(tenant_id=tenant, after=after, limit=PAGE, knowledge_version=version)
        page = await knowledge.ask(ListDocumentsResponse, request)
        for document in page.documents:
            yield document
        after = page.next
        if not after:
            return


async def read_into(
    teaching: Teaching, files: Sequence[Found], *, advanced: Callable[[int, int], None]
) -> dict[str, list[Draft | Refusal]]:
    """Read files in processes of their own and put their documents; what became of each, by the file's name."""
    slots = asyncio.Semaphore(AT_ONCE)
    became: dict[str, list[Draft | Refusal]] = {}

    async def one(found: Found) -> None:
        async with slots:
            became[found.uri] = await reading.read(found)
            for read in became[found.uri]:
                if isinstance(read, Refusal):
                    teaching.summary.refused.append(read)
                else:
                    await teaching.put(read)
            advanced(len(became), len(files))

    with Reading() as reading:
        async with asyncio.TaskGroup() as tasks:
            for found in files:
                tasks.create_task(one(found))
    return became
