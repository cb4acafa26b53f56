"""Follow folders: what is added, changed or removed in them is searched moments later, without a restart."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parley.core import Conflict, Invalid, Unavailable
from parley.telemetry import Log
from parley_knowledge.documents import Draft
from parley_knowledge.ingest import Found, Reading, readable, walk
from parley_knowledge.library import Library
from parley_knowledge.settings import Folder

DEBOUNCE_MS: Final = 150  # a file that is being written is read when it has been left alone for this long
STEP_MS: Final = 50
TICK_MS: Final = 5_000  # looks without being told: network drives do not tell
AT_ONCE: Final = 16  # documents on their way to the store: they share its commits

Stamp = tuple[int, int]


@dataclass(slots=True)
class _Seen:
    """A file as it was read last."""

    stamp: Stamp  # when it was written, and its size
    uris: frozenset[str]  # of its documents
    refused: bool = False  # its earlier documents stay as they were


class FolderWatch:
    """Makes a tenant's documents from one folder equal to its files. Looking twice changes nothing."""

    def __init__(self, library: Library, folder: Folder, reading: Reading) -> None:
        self._library = library
        self._reading = reading
        self._folder = folder
        self._root = folder.path.resolve()  # so that what we are told of is named as what we find
        self._seen: dict[str, _Seen] = {}
        self._log = Log("knowledge")
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._complained = ""

    async def follow(self, stop: asyncio.Event) -> None:
        """Look whenever the folder changes, until `stop` is set."""
        while not stop.is_set():
            await self.look()
            try:
                if await self._there():
                    await self._listen(stop)
            except (OSError, RuntimeError) as error:  # the system watches no more folders; looking goes on
                self._complain("folder.unwatched", f"{error}; it is looked at every {TICK_MS // 1000} s instead")
            await _pause(stop, TICK_MS / 1000)

    async def _listen(self, stop: asyncio.Event) -> None:
        """Look whenever we are told, until the folder is gone or `stop` is set."""
        from watchfiles import awatch  # noqa: PLC0415 - 20 MB that only those who follow a folder need

        changes = awatch(
            self._root,
            stop_event=stop,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            rust_timeout=TICK_MS,
            yield_on_timeout=True,
        )
        told = asyncio.ensure_future(anext(changes, None))
        try:
            await asyncio.sleep(0)  # awatch listens from its first step on; what changed before is found by looking
            await self.look()
            while (changed := await told) is not None and await self._there():
                await self.look(path for _, path in changed)
                told = asyncio.ensure_future(anext(changes, None))
        finally:
            told.cancel()

    async def look(self, told: Iterable[str] = ()) -> None:
        """Read what has changed since the last look (and what we are `told` of in any case), remove what is gone."""
        if not await self._there():
            self._complain("folder.missing", "there is no such folder; its documents stay as they are")
            return
        files = {found.uri: found for found in await asyncio.to_thread(self._files)}
        if not files:  # more likely a drive that is not mounted than a desk that forgets everything
            self._complain("folder.empty", "it holds no file that can be read; its documents stay as they are")
            return
        if self._complained in {"folder.missing", "folder.empty"}:
            self._complained = ""
        try:
            await self._take(files, frozenset(told))
        except Unavailable as error:
            self._log.warning("folder.waits", folder=str(self._root), error=str(error))

    async def _take(self, files: dict[str, Found], again: frozenset[str]) -> None:
        first = not self._seen
        stamps = {uri: stamp for uri, found in files.items() if (stamp := _stamp(found.path))}
        changed = [
            uri
            for uri, stamp in stamps.items()
            if uri not in self._seen or self._seen[uri].stamp != stamp or str(files[uri].path) in again
        ]
        await asyncio.gather(*(self._read(files[uri], stamps[uri]) for uri in changed))
        gone = [uri for uri in self._seen if uri not in stamps]
        if first or changed or gone:
            await self._forget(gone)

    async def _read(self, found: Found, stamp: Stamp) -> None:
        async with self._slots:
            read = await self._reading.read(found)
            drafts = [one for one in read if isinstance(one, Draft)]
            refused = [(one.uri, "") for one in drafts if not await self._put(one)]
            for one in read:
                if not isinstance(one, Draft):
                    refused.append((one.name, one.reason))
                    self._log.warning("document.refused", document=one.name, reason=one.reason)
        self._seen[found.uri] = _Seen(stamp, frozenset(d.uri for d in drafts), refused=bool(refused))

    async def _put(self, draft: Draft) -> bool:
        try:
            await self._library.put(self._folder.tenant, draft, source=self._folder.source)
        except (Invalid, Conflict) as error:
            self._log.warning("document.refused", document=draft.uri, reason=str(error))
            return False
        return True

    async def _forget(self, gone: list[str]) -> None:
        """Remove the folder's documents that no file holds any more."""
        kept = frozenset().union(*(seen.uris for uri, seen in self._seen.items() if uri not in gone))
        history = await self._library.annals.of(self._folder.tenant)
        mine = [change for change in history.live.values() if change.source == self._folder.source]
        for change in mine:
            if change.uri not in kept and not self._spared(change.uri, gone):
                await self._library.remove(self._folder.tenant, change.document_id)
        for uri in gone:
            del self._seen[uri]

    def _spared(self, uri: str, gone: list[str]) -> bool:
        file = uri.split("#", maxsplit=1)[0]
        return file not in gone and file in self._seen and self._seen[file].refused

    async def _there(self) -> bool:
        return await asyncio.to_thread(self._root.is_dir)

    def _files(self) -> list[Found]:
        return [found for found in walk(self._root) if readable(found.path)]

    def _complain(self, event: str, reason: str) -> None:
        if self._complained != event:
            self._complained = event
            self._log.warning(event, folder=str(self._root), reason=reason)


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:  # gone since the folder was listed
        return None
    return found.st_mtime_ns, found.st_size


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
