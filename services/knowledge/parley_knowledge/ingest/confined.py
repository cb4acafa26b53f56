"""Files are read in processes of their own, with limits of time and memory, never on an event loop."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import LifoQueue
from threading import Timer
from typing import Final

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.files import read_with
from parley_knowledge.ingest.formats import Found
from parley_knowledge.ingest.refusal import Refusal, Refused

READERS: Final = 2
SECONDS: Final = 120.0  # for one file; a scanned page takes some two
MEBIBYTES: Final = 3072  # of addresses, of which OCR reserves most and uses 600
ANSWER_BYTES: Final = 64 * 1024 * 1024


class _Reader:
    """One process. It is ended when a file takes too long, and whoever reads next begins another."""

    def __init__(self, mebibytes: int) -> None:
        command = [sys.executable, "-I", "-X", "utf8", "-m", "parley_knowledge.ingest.reader", str(mebibytes)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, text=True,
            encoding="utf-8",
        )  # fmt: skip
        self.alive = True

    def read(self, found: Found, seconds: float) -> list[Draft | Refusal]:
        late: list[bool] = []

        def give_up() -> None:
            late.append(True)
            self.kill()

        timer = Timer(seconds, give_up)
        timer.start()
        try:
            return list(self._answers(found))
        except (Refused, OSError) as error:
            self.close()
            reason = f"takes longer than {seconds:g} s to be read; split it" if late else str(error)
            raise Refused(reason) from None
        finally:
            timer.cancel()

    def _answers(self, found: Found) -> Iterator[Draft | Refusal]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(found.path.absolute()), found.uri]) + "\n")
        self._process.stdin.flush()
        left = ANSWER_BYTES
        while line := self._process.stdout.readline(left):
            if line == "\n":
                return
            left -= len(line)
            if left <= 0:
                raise Refused("holds more text than one file may; split it")
            is_draft, values = json.loads(line)
            yield Draft(**values) if is_draft else Refusal(**values)
        raise Refused("breaks whoever reads it, or needs more memory than a file may take")

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self.alive = False
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with _broken_pipes_are_gone():
                    pipe.close()


@contextmanager
def _broken_pipes_are_gone() -> Iterator[None]:
    try:
        yield
    except OSError:
        return


class Reading:
    """Reads files, as many at once as there are readers. A context manager: its processes end with it."""

    def __init__(self, *, readers: int = READERS, seconds: float = SECONDS, mebibytes: int = MEBIBYTES) -> None:
        self._seconds = seconds
        self._mebibytes = mebibytes
        self._readers: LifoQueue[_Reader | None] = LifoQueue()
        self._started: list[_Reader] = []
        self._closing = False
        for _ in range(readers):
            self._readers.put(None)
        self._threads = ThreadPoolExecutor(readers + 1, thread_name_prefix="knowledge-read")

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        for reader in self._started:
            reader.kill()  # a file that is being read is given up: whoever asked has gone
        self._threads.shutdown(cancel_futures=True)
        for reader in self._started:
            reader.close()

    async def read(self, found: Found) -> list[Draft | Refusal]:
        """The documents of a file, and why some or all are missing."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: list(read_with(found, self._confined)))

    def _confined(self, found: Found) -> list[Draft | Refusal]:
        reader = self._readers.get()
        try:
            reader = reader or self._start()
            return reader.read(found, self._seconds)
        finally:
            self._readers.put(reader if reader and reader.alive else None)

    def _start(self) -> _Reader:
        if self._closing:
            raise Refused("was not read: the reading was broken off")
        reader = _Reader(self._mebibytes)
        self._started = [*(one for one in self._started if one.alive), reader]
        return reader


def read_file(found: Found) -> list[Draft | Refusal]:
    """Read one file and be done. Blocks; for many there is `Reading`."""
    with Reading(readers=1) as reading:
        return list(read_with(found, reading._confined))
