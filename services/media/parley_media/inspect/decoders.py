"""A few decoder processes: started when needed, ended when late, lost or idle. Never on the event loop."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from parley.core import Clock, Unavailable
from parley.telemetry import Log
from parley_media.processes import gone, kill
from parley_media.refusals import Code, Refused
from parley_media.settings import MediaSettings
from parley_media.transcode.wire import LENGTH, packed

WORKER = "parley_media.transcode.worker"
PIPE_BYTES = 1 << 20
log = Log("media.decoders")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture encoded anew, WebP first."""

    width: int
    height: int
    frames: int
    renditions: tuple[tuple[str, bytes], ...]  # MIME type, bytes


class Decoders:
    """Hands pictures to processes, one at a time each. Opened by `open_decoders`."""

    def __init__(self, settings: MediaSettings, clock: Clock, command: Sequence[str] = ()) -> None:
        self._settings = settings
        self._clock = clock
        self._command = command or _worker_command(settings)
        self._slots = asyncio.Semaphore(settings.decoders)
        self._inside = 0  # uploads that wait or are decoded
        self._idle: list[Process] = []
        self._all: set[Process] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._retiring: asyncio.Task[None] | None = None

    @property
    def processes(self) -> list[int]:
        """The ids of the processes that run now."""
        return [process.pid for process in self._all if process.returncode is None]

    async def decode(self, content: bytes, format_name: str) -> Decoded:
        """Decode and encode one picture. Raises Refused, or Unavailable when all are busy or a process was lost."""
        if self._inside >= self._settings.decoders + self._settings.waiting:
            raise _busy()
        self._inside += 1
        try:
            return await self._in_turn(content, format_name)
        finally:
            self._inside -= 1

    async def close(self) -> None:
        """End every process."""
        if self._retiring:
            self._retiring.cancel()
        for process in list(self._all):
            self._end(process)
        await asyncio.gather(*self._ending)

    async def _in_turn(self, content: bytes, format_name: str) -> Decoded:
        try:
            async with asyncio.timeout(self._settings.decode_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise _busy() from None
        try:
            return await self._with_process(content, format_name)
        finally:
            self._slots.release()

    async def _with_process(self, content: bytes, format_name: str) -> Decoded:
        process = await self._take()
        kept = False
        try:
            async with asyncio.timeout(self._settings.decode_seconds):
                answer = await _ask(process, packed({"format": format_name}, [content]))
            kept = True
        except TimeoutError:
            limit = f"{self._settings.decode_seconds:g} s"
            raise Refused(Code.TOO_COMPLEX, f"the picture takes more than {limit} to decode; make it smaller") from None
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            log.warning("decoder.lost", pid=process.pid, status=process.returncode, error=type(error).__name__)
            raise Unavailable("The decoder ended before it was done; send the picture again.") from None
        finally:
            # A late, lost or abandoned process is in an unknown state: it goes, and the next upload starts another.
            if kept:
                self._put_back(process)
            else:
                await asyncio.shield(self._end(process))
        return _decoded(*answer)

    async def _take(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            self._all.discard(process)
        process = await self._start()
        self._all.add(process)
        return process

    async def _start(self) -> Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=PIPE_BYTES, env=_environment()
            )
        except OSError as error:
            log.error("decoder.not_started", error=error.strerror)
            raise Unavailable("No decoder can be started now; send the picture again later.") from None

    def _put_back(self, process: Process) -> None:
        self._idle.append(process)
        if self._retiring:
            self._retiring.cancel()
        self._retiring = asyncio.create_task(self._retire())

    async def _retire(self) -> None:
        await self._clock.sleep(self._settings.idle_seconds)
        idle, self._idle = self._idle, []
        for process in idle:
            self._end(process)

    def _end(self, process: Process) -> asyncio.Task[None]:
        """Kill it at once; the task is done when it is gone."""
        self._all.discard(process)
        kill(process)
        ending = asyncio.create_task(gone(process))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        return ending


@asynccontextmanager
async def open_decoders(settings: MediaSettings, clock: Clock) -> AsyncIterator[Decoders]:
    """Processes start with the first uploads and end with the context."""
    decoders = Decoders(settings, clock)
    try:
        yield decoders
    finally:
        await decoders.close()


async def _ask(process: Process, frame: bytes) -> tuple[dict[str, Any], list[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(frame)
    await process.stdin.drain()
    length = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))[0]
    header: dict[str, Any] = json.loads(await process.stdout.readexactly(length))
    return header, [await process.stdout.readexactly(size) for size in header["sizes"]]


def _decoded(header: dict[str, Any], bodies: list[bytes]) -> Decoded:
    if "refused" in header:
        if "error" in header:
            log.info("picture.undecodable", error=header["error"])
        raise Refused(Code(header["refused"]), header["sentence"])
    renditions = tuple(zip(header["types"], bodies, strict=True))
    return Decoded(header["width"], header["height"], header["frames"], renditions)


def _worker_command(settings: MediaSettings) -> tuple[str, ...]:
    return (sys.executable, "-m", WORKER, str(settings.decoder_mb << 20))


def _environment() -> dict[str, str]:
    """Only where modules are: our own variables hold secrets that a decoder of strangers' files must not have."""
    return {"PYTHONPATH": ":".join(path for path in sys.path if path), "PYTHONDONTWRITEBYTECODE": "1"}


def _busy() -> Unavailable:
    return Unavailable("Too many pictures are being decoded now; send it again in a few seconds.", retry_after=3.0)
