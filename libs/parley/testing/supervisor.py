"""Services as processes of their own, and what can happen to a process: killed, frozen, asked to end, begun again."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from parley.testing.servers.ports import answers, free_port
from parley.testing.servers.process import ServerProcess

READY = {"say": b"GET /readyz HTTP/1.0\r\n\r\n", "hear": b"HTTP/1.1 200"}


class ServiceProcess(ServerProcess):
    """One `parley run NAME`. It is ready when its `/readyz` says so; `metrics_port` also serves `/metrics`."""

    def __init__(self, service: str, *, log: Path, env: Mapping[str, str]) -> None:
        self.service = service
        self.log = log
        self.metrics_port = free_port()
        command = [sys.executable, "-m", "parley.cli", "run", service]
        environment = {**os.environ, **env, "PARLEY_HEALTH_PORT": str(self.metrics_port)}
        super().__init__(command, log=log, ready=self.is_ready, env=environment)

    async def is_ready(self) -> bool:
        """Whether it says so now."""
        return await answers(self.metrics_port, **READY)

    def terminate(self) -> None:
        """SIGTERM, without waiting: it drains."""
        self.signal(signal.SIGTERM)

    async def ended(self, seconds: float = 30.0) -> int:
        """Wait for its end; the exit code. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while self.exit_code is None:  # noqa: ASYNC110 - the process has no event
                await asyncio.sleep(0.02)
        return self.exit_code

    def kill_and_begin_again(self) -> None:
        """Kill -9 and start at once, as a good supervisor would; `wait_ready` says when it is back."""
        self.kill()
        self.launch()


class Supervisor:
    """The processes of one desk, by name. What one of them prints is in `folder`/name.log."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.processes: dict[str, ServiceProcess] = {}

    def __getitem__(self, name: str) -> ServiceProcess:
        return self.processes[name]

    def launch(self, service: str, name: str = "", **environment: str) -> ServiceProcess:
        """Start one, without waiting. `name` tells replicas of one service apart."""
        name = name or service
        log = self.folder / f"{name}.log"
        process = ServiceProcess(service, log=log, env={**self.environment, **environment})
        self.processes[name] = process
        process.launch()
        return process

    async def start(self, *services: str) -> None:
        """Start several together and wait until each is ready."""
        for service in services:
            self.launch(service)
        await self.ready()

    async def ready(self) -> None:
        """Wait until every process is. Raises ParleyError with the last words of one that ended."""
        await asyncio.gather(*(process.wait_ready() for process in self.processes.values()))

    async def stop(self, name: str) -> int:
        """End one in good order; the exit code. It is forgotten."""
        process = self.processes.pop(name)
        process.terminate()
        return await process.ended()

    async def cli(self, *arguments: str) -> str:
        """What `parley ARGUMENTS` prints in this desk's environment. Raises CalledProcessError when it fails."""
        command = [sys.executable, "-m", "parley.cli", *arguments]
        environment = {**os.environ, **self.environment}
        done = await asyncio.to_thread(
            subprocess.run, command, env=environment, capture_output=True, text=True, timeout=180, check=True
        )
        return str(done.stdout)

    def logs(self) -> str:
        """What all of them printed."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))


@asynccontextmanager
async def supervisor(folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Supervisor]:
    """Processes until the context is left; what still runs then is killed."""
    processes = Supervisor(folder, environment)
    try:
        yield processes
    finally:
        for process in processes.processes.values():
            process.kill()
