"""Pictures in a folder of this machine (`file:///…`), each in a folder of its own that appears whole or not at all."""

import asyncio
import contextlib
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from parley.core import NotFound, SettingsError, TenantId, Unavailable
from parley.telemetry import Log
from parley_media.blobs.about import from_json, to_json
from parley_media.blobs.layout import ABOUT, below, file_of, folder_of, is_media_id
from parley_media.media import Media, Rendition

UNFINISHED = ".unfinished"
FORGOTTEN_SECONDS = 3600  # what was begun longer ago belongs to a process that died
log = Log("media.blobs")


class FolderBlobs:
    """Blobs in one folder, shared by all replicas that mount it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, media: Media, contents: Mapping[Rendition, bytes]) -> None:
        """Write, flush, then rename into place."""
        files = {ABOUT: to_json(media), **{file_of(rendition): content for rendition, content in contents.items()}}
        try:
            await asyncio.to_thread(self._write, below(self._root, folder_of(media.tenant, media.media_id)), files)
        except OSError as error:
            log.error("blob.not_written", error=error.strerror)
            raise Unavailable(f"The picture cannot be stored now ({error.strerror}); send it again later.") from None

    async def about(self, tenant: TenantId, media_id: str) -> Media:
        """Read the file beside the bytes."""
        if not is_media_id(media_id):
            raise _not_found()
        path = below(self._root, folder_of(tenant, media_id)) / ABOUT
        try:
            media = from_json(await asyncio.to_thread(_read, path))
        except (ValueError, KeyError, TypeError) as error:
            log.error("blob.damaged", media=media_id, error=type(error).__name__)
            raise _not_found() from None
        if media.tenant != tenant or media.media_id != media_id:
            raise _not_found()
        return media

    async def read(self, media: Media, rendition: Rendition) -> bytes:
        """Read one rendition whole."""
        path = below(self._root, folder_of(media.tenant, media.media_id)) / file_of(rendition)
        content = await asyncio.to_thread(_read, path)
        if len(content) != rendition.size:
            log.error("blob.damaged", media=media.media_id, size=len(content))
            raise _not_found()
        return content

    async def check(self) -> str:
        """Whether the folder can be written."""
        writable = await asyncio.to_thread(os.access, self._root / UNFINISHED, os.W_OK | os.X_OK)
        return "" if writable else "the folder of pictures cannot be written"

    def prepare(self) -> None:
        """Make the folder, and forget what dead processes left half written."""
        unfinished = self._root / UNFINISHED
        unfinished.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in unfinished.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > FORGOTTEN_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)

    def _write(self, place: Path, files: Mapping[str, bytes]) -> None:
        draft = self._root / UNFINISHED / secrets.token_hex(16)
        draft.mkdir(mode=0o700)
        try:
            for name, content in files.items():
                _write_flushed(draft / name, content)
            _flush_folder(draft)
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.rename(place)
            _flush_up_to(self._root, place.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


@asynccontextmanager
async def open_blobs(url: str) -> AsyncIterator[FolderBlobs]:
    """The store that a URL names. Raises SettingsError when its folder cannot be made."""
    blobs = FolderBlobs(Path(unquote(urlsplit(url).path)))
    try:
        await asyncio.to_thread(blobs.prepare)
    except OSError as error:
        raise SettingsError(
            f'PARLEY_BLOBS_URL is "{url}" ({error.strerror}); expected file:///path of a folder that can be written'
        ) from None
    yield blobs


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise _not_found() from None
    except OSError as error:
        raise Unavailable(f"The picture cannot be read now ({error.strerror}); try again later.") from None


def _write_flushed(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_up_to(root: Path, folder: Path) -> None:
    """A new name lasts once its folder is flushed, and so up to the store's own folder."""
    while True:
        _flush_folder(folder)
        if folder == root:
            return
        folder = folder.parent


def _not_found() -> NotFound:
    return NotFound("There is no such picture here; check its id, or send it again.")
