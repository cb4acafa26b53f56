"""`make up-local` and `make down-local`: a process per service on private real servers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.house import House, a_client, a_plot
from tests.flow.people import EN, ZH, answered, ids, position

pytestmark = [pytest.mark.connected, pytest.mark.slow]


def local(house: House, what: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "parley.testing.local", what]
    environment = {**os.environ, **house.environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def lives(pid: str) -> bool:
    """One that has ended may stay listed until somebody asks for its exit code; it has no command line any more."""
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes() != b""


async def test_a_conversation_goes_on_where_it_was_after_down_and_up() -> None:
    with a_plot() as house:
        try:
            first = local(house, "up")
            assert first.returncode == 0, first.stderr
            assert house.url.rpartition(":")[2] in first.stdout
            visitor = await a_client(house)
            await answered(visitor, ZH)
            reply = visitor.frames[-1]["event"]
            session, token = ids(visitor)
            again = local(house, "up")
            assert (again.returncode, "make down-local" in again.stderr) == (1, True)
            pids = [line.split()[0] for line in (house.home / "local" / "pids").read_text().splitlines()]
            assert len(pids) == 7
            assert local(house, "down").stdout == "ended\n"
            assert not [pid for pid in pids if lives(pid)]

            assert local(house, "up").returncode == 0
            hello = {"token": token, "streams": position(session, reply["seq"], reply["epoch"])}
            back = await a_client(house, hello)
            assert back.frames[0]["welcome"]["streams"][0]["recovered"]
            await answered(back, EN)
            assert back.frames[-1]["event"]["seq"] == reply["seq"] + 2
        finally:
            local(house, "down")


def test_a_service_that_cannot_start_ends_it_all_with_its_own_words() -> None:
    with a_plot(PARLEY_SHARDS="many") as house:
        refused = local(house, "up")
        assert refused.returncode == 1
        assert 'PARLEY_SHARDS is "many"; expected a whole number' in refused.stderr
        assert not (house.home / "local" / "pids").exists()


def test_a_process_that_took_over_a_number_is_left_alone() -> None:
    with a_plot() as house, subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        (house.home / "local").mkdir()
        (house.home / "local" / "pids").write_text(f"{stranger.pid} gateway\n")
        assert local(house, "down").stdout == "ended\n"
        assert stranger.poll() is None
        stranger.kill()


def test_down_without_up_says_that_nothing_runs() -> None:
    with a_plot() as house:
        assert local(house, "down").stderr == "nothing runs\n"
