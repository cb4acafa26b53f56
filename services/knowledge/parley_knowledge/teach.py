"""One run of `ingest`: read files, put their documents, count what became of each."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from parley.contracts.v1 import PutDocumentRequest
from parley.core import Invalid
from parley_knowledge.documents import Draft
from parley_knowledge.ingest import Found, Reading, Refusal, kinds, readable, walk
from parley_knowledge.reach import Knowledge

AT_ONCE: Final = 16


@dataclass
class Summary:
    """What a run has done."""

    files: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    passages: int = 0
    seconds: float = 0.0
    refused: list[Refusal] = field(default_factory=list)
    left_out: list[Refusal] = field(default_factory=list)  # kinds of file that are never read

    @property
    def documents(self) -> int:
        """Documents that stand now."""
        return self.added + self.changed + self.unchanged


def files_of(paths: Sequence[Path]) -> tuple[list[Found], list[Refusal]]:
    """The files to read, and those in folders that are of no kind we read. A file named by itself is always tried."""
    found = [(one, path) for path in paths for one in walk(path)]
    wanted = [one for one, path in found if path.is_file() or readable(one.path)]
    reason = f"is of a kind that is not read; these are: {kinds()}"
    return wanted, [Refusal(one.uri, reason) for one, path in found if not (path.is_file() or readable(one.path))]


async def teach(
    knowledge: Knowledge, tenant: str, paths: Sequence[Path], *, advanced: Callable[[int, int], None]
) -> Summary:
    """Ingest paths; `advanced` hears of files done and files in all. Doing it again goes on where it was broken off."""
    began = time.monotonic()
    files, left_out = await asyncio.to_thread(files_of, paths)
    summary = Summary(files=len(files), left_out=left_out)
    slots = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def one(found: Found) -> None:
        nonlocal done
        for read in await reading.read(found):
            if isinstance(read, Refusal):
                summary.refused.append(read)
            else:
                await _put(knowledge, tenant, read, summary)
        done += 1
        advanced(done, len(files))

    async def bounded(found: Found) -> None:
        async with slots:
            await one(found)

    with Reading() as reading:
        async with asyncio.TaskGroup() as tasks:
            for found in files:
                tasks.create_task(bounded(found))
    summary.refused.sort(key=lambda refusal: refusal.name)
    summary.seconds = time.monotonic() - began
    return summary


async def _put(knowledge: Knowledge, tenant: str, draft: Draft, summary: Summary) -> None:
    request = PutDocumentRequest(
        tenant_id=tenant, uri=draft.uri, title=draft.title, text=draft.text, language=draft.language
    )
    try:
        answer = await knowledge.put(request)
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
