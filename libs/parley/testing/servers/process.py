"""One server process: started in its own session with its output in a file, and everything a fault test does to it."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from parley.core import ParleyError
from parley.testing.awake import AwakeClock

START_SECONDS = 90.0  # RabbitMQ takes 6 s alone, several times that beside a busy test run
STOP_SECONDS = 20.0


class ServerMissing(ParleyError):
    """A server that a test needs cannot be had; the text names the command that installs it."""


class ServerProcess:
    """A command that can be started, stopped, killed, frozen and started again."""

    def __init__(
        self, command: Sequence[str], *, log: Path, ready: Callable[[], Awaitable[bool]], env: Mapping[str, str] | None
    ) -> None:
        self._command = [*_dies_with_us(), *command]
        self._log = log
        self._ready = ready
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process id, which leads a process group of its own."""
        if self._process is None:
            raise ParleyError(f"{self._command[0]} was not started")
        return self._process.pid

    async def start(self) -> None:
        """Start and wait until it answers. Raises ParleyError with the end of its output when it does not."""
        self.launch()
        await self.wait_ready()

    def launch(self) -> None:
        """Start without waiting."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    async def wait_ready(self) -> None:
        """Wait until it answers. Raises ParleyError as `start` does."""
        clock = AwakeClock()
        async with clock.beating():
            deadline = clock.now() + START_SECONDS
            while not await self._ready():
                if (code := self.exit_code) is not None:
                    raise ParleyError(f"{self._name} ended with {code}: {self._tail()}")
                if clock.now() > deadline:
                    self.kill()
                    raise ParleyError(f"{self._name} does not answer after {START_SECONDS:g} s: {self._tail()}")
                await asyncio.sleep(0.05)

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative for a signal; None while it runs or before it was started."""
        return self._process.poll() if self._process is not None else None

    async def stop(self) -> None:
        """Ask it to end, and kill it when it does not. Nothing happens when it has ended."""
        if self._process is None or self._process.poll() is not None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill -9, and wait for the body."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(STOP_SECONDS)

    def freeze(self) -> None:
        """Stop it in mid-step: connections stay open and say nothing."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and its children; one that has ended is left alone."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)

    @property
    def _name(self) -> str:
        return Path(self._command[len(_dies_with_us())]).name

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]


def ours(process: ServerProcess | None, url: str) -> ServerProcess:
    """The process of a private server. Raises ParleyError for one that the tester gave: it is not ours to break."""
    if process is None:
        raise ParleyError(f"the server at {url} was given; only a private one may be stopped, killed or frozen")
    return process


def _dies_with_us() -> list[str]:
    """A prefix that has the kernel end the server when the test run is killed."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
