"""Decoder processes: bounded, replaceable, started late and ended early."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from parley.core import Clock, SystemClock, Unavailable
from parley.testing import VirtualClock
from parley_media.inspect import Decoders, open_decoders
from parley_media.inspect.decoders import WORKER
from parley_media.refusals import Code, Refused
from parley_media.settings import MediaSettings
from tests.unit.media.pictures import a_photo, a_png_bomb, a_whole, saved

HANGS = (sys.executable, "-c", "import time; time.sleep(600)")


@asynccontextmanager
async def decoders_of(*command: str, clock: Clock | None = None, **settings: float) -> AsyncIterator[Decoders]:
    decoders = Decoders(MediaSettings.model_validate(settings), clock or SystemClock(), command)
    try:
        yield decoders
    finally:
        await decoders.close()


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not fact():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def runs(pid: int) -> bool:
    with suppress(ProcessLookupError, FileNotFoundError):
        return "State:\tZ" not in of_process(pid, "status")
    return False


def of_process(pid: int, file: str) -> str:
    return Path(f"/proc/{pid}/{file}").read_text()


async def test_no_process_runs_before_the_first_upload_nor_after_the_end() -> None:
    async with open_decoders(MediaSettings(), SystemClock()) as decoders:
        assert decoders.processes == []
        await decoders.decode(a_whole("PNG"), "PNG")
        (pid,) = decoders.processes
        assert runs(pid)
    assert not runs(pid)


async def test_a_process_is_used_again() -> None:
    async with decoders_of() as decoders:
        await decoders.decode(a_whole("PNG"), "PNG")
        before = decoders.processes
        decoded = await decoders.decode(a_whole("JPEG"), "JPEG")
        assert decoders.processes == before
        assert (decoded.width, decoded.height, decoded.frames) == (320, 240, 1)


async def test_a_refused_picture_leaves_the_process_in_use() -> None:
    async with decoders_of() as decoders:
        with pytest.raises(Refused, match=r"^not_an_image: "):
            await decoders.decode(a_whole("JPEG")[:500], "JPEG")
        before = decoders.processes
        await decoders.decode(a_whole("JPEG"), "JPEG")
        assert decoders.processes == before != []


async def test_an_idle_process_is_ended() -> None:
    clock = VirtualClock()
    async with decoders_of(clock=clock, idle_seconds=60) as decoders:
        await decoders.decode(a_whole("PNG"), "PNG")
        (pid,) = decoders.processes
        await until(lambda: clock.next_wake is not None)
        await clock.advance(59)
        assert decoders.processes == [pid]
        await clock.advance(2)
        await until(lambda: not runs(pid))
        await decoders.decode(a_whole("PNG"), "PNG")
        assert decoders.processes != [pid]


async def test_a_process_killed_midway_is_a_clear_failure_and_the_next_upload_works() -> None:
    async with decoders_of() as decoders:
        await decoders.decode(a_whole("PNG"), "PNG")
        (pid,) = decoders.processes
        os.kill(pid, signal.SIGSTOP)  # holds it in the middle of the next picture
        upload = asyncio.create_task(decoders.decode(a_whole("PNG"), "PNG"))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(Unavailable, match="send the picture again"):
            await upload
        assert (await decoders.decode(a_whole("PNG"), "PNG")).width == 320
        assert decoders.processes != [pid]


async def test_a_process_killed_while_idle_is_replaced_unnoticed() -> None:
    async with decoders_of() as decoders:
        await decoders.decode(a_whole("PNG"), "PNG")
        (pid,) = decoders.processes
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not decoders.processes)
        assert (await decoders.decode(a_whole("PNG"), "PNG")).width == 320


async def test_a_picture_that_takes_too_long_is_refused_and_its_process_ended() -> None:
    async with decoders_of(*HANGS, decode_seconds=0.2) as decoders:
        began = asyncio.get_running_loop().time()
        with pytest.raises(Refused) as refusal:
            await decoders.decode(a_whole("PNG"), "PNG")
        assert refusal.value.code is Code.TOO_COMPLEX
        assert asyncio.get_running_loop().time() - began < 3
        assert decoders.processes == []


async def test_an_upload_whose_client_left_frees_its_process() -> None:
    async with decoders_of(*HANGS) as decoders:
        upload = asyncio.create_task(decoders.decode(a_whole("PNG"), "PNG"))
        await until(lambda: decoders.processes)
        (pid,) = decoders.processes
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        assert not runs(pid)


async def test_beyond_the_waiting_line_an_upload_is_told_to_come_back() -> None:
    async with decoders_of(*HANGS, decoders=1, waiting=1, decode_seconds=0.3) as decoders:
        running = asyncio.create_task(decoders.decode(a_whole("PNG"), "PNG"))
        waiting = asyncio.create_task(decoders.decode(a_whole("PNG"), "PNG"))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="in a few seconds"):
            await decoders.decode(a_whole("PNG"), "PNG")
        outcomes = await asyncio.gather(running, waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] in ([Refused, Refused], [Refused, Unavailable])


async def test_uploads_side_by_side_each_get_their_own_answer() -> None:
    async with decoders_of(decoders=2) as decoders:
        widths = [16, 32, 48, 64, 80, 96]
        decoded = await asyncio.gather(*(decoders.decode(saved(a_photo(w, 10), "PNG"), "PNG") for w in widths))
        assert [each.width for each in decoded] == widths
        assert len(decoders.processes) == 2


async def test_a_picture_that_needs_too_much_memory_is_refused_and_the_process_lives() -> None:
    async with decoders_of(sys.executable, "-m", WORKER, str(100 << 20)) as decoders:
        with pytest.raises(Refused, match=r"^too_complex: "):
            await decoders.decode(a_png_bomb(4900, 4900), "PNG")
        before = decoders.processes
        await decoders.decode(a_whole("PNG"), "PNG")
        assert decoders.processes == before


async def test_a_program_that_cannot_be_started_is_a_clear_failure() -> None:
    async with decoders_of("/no/such/program") as decoders:
        with pytest.raises(Unavailable, match="decoder"):
            await decoders.decode(a_whole("PNG"), "PNG")


async def test_the_process_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_BUS_URL", "amqp://user:geheim@host/")
    async with decoders_of() as decoders:
        await decoders.decode(a_whole("PNG"), "PNG")
        (pid,) = decoders.processes
        assert "geheim" not in of_process(pid, "environ")


async def test_the_process_can_write_no_file_and_is_bounded() -> None:
    async with decoders_of(decoder_mb=512) as decoders:
        await decoders.decode(a_whole("PNG"), "PNG")
        (pid,) = decoders.processes
        limits = of_process(pid, "limits").splitlines()
        bounds = {line[:26].strip(): line[26:].split()[0] for line in limits}
        assert bounds["Max file size"] == "0"
        assert bounds["Max core file size"] == "0"
        assert bounds["Max address space"] == str(512 << 20)
