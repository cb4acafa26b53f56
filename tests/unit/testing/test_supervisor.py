"""The supervisor starts, kills, freezes, ends and begins again real processes."""

import signal
from pathlib import Path

import pytest

from parley.core import ParleyError
from parley.testing.servers import free_port
from parley.testing.supervisor import supervisor

pytestmark = pytest.mark.slow


def environment(folder: Path) -> dict[str, str]:
    return {"PARLEY_HOME": str(folder), "PARLEY_GATEWAY_PORT": str(free_port()), "PARLEY_BUS_URL": "memory:"}


async def test_a_service_is_started_killed_begun_again_frozen_and_ended(tmp_path: Path) -> None:
    async with supervisor(tmp_path, environment(tmp_path)) as processes:
        await processes.start("hello")
        hello = processes["hello"]
        first = hello.pid
        hello.kill_and_begin_again()
        assert hello.pid != first
        await hello.wait_ready()
        hello.freeze()
        assert not await hello.is_ready()
        hello.thaw()
        assert await hello.is_ready()
        assert await processes.stop("hello") == 0
        assert "hello" not in processes.processes


async def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    async with supervisor(tmp_path, {**environment(tmp_path), "PARLEY_BUS_URL": "rabbit"}) as processes:
        with pytest.raises(ParleyError, match="expected memory: or amqp"):
            await processes.start("hello")


async def test_what_still_runs_is_killed_at_the_end(tmp_path: Path) -> None:
    async with supervisor(tmp_path, environment(tmp_path)) as processes:
        process = processes.launch("hello")
    assert process.exit_code == -signal.SIGKILL
