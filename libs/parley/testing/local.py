"""`python -m parley.testing.local up|down`: a process per service, on private real servers, in the background.

Process ids and logs are under `PARLEY_HOME`/local. `up` returns when all is ready; `down` ends what `up` began.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from parley.cli.asking import GatewayAddress
from parley.core.settings import PlaceSettings
from parley.service.registry import registered

READY_SECONDS = 90.0
STOP_SECONDS = 30.0
HANDBOOK = Path(__file__).parents[3] / "examples" / "shop" / "handbook"


def up(folder: Path) -> int:
    """Start servers and services; the exit code."""
    if (folder / "pids").exists():
        sys.stderr.write(f"it runs already (see {folder}); end it first with `make down-local`\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pids").touch()
    try:
        environment = {**os.environ, **_servers(folder), **_settings()}
        command = [sys.executable, "-m", "parley.cli", "topology", "apply"]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        ports = {name: _free_port() for name in registered()}
        for name, port in ports.items():
            _start(folder, name, {**environment, "PARLEY_HEALTH_PORT": str(port)}, "parley.cli", "run", name)
        _wait_ready(ports)
    except (RuntimeError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"{error}\nsee the logs in {folder}\n")
        down(folder)
        return 1
    sys.stdout.write(f"ready: http://localhost:{GatewayAddress.load().gateway_port}/\n")
    sys.stdout.write(f"{len(ports)} services, their logs in {folder}; `make down-local` ends them\n")
    return 0


def down(folder: Path) -> int:
    """End the services, then the servers; the exit code."""
    listed = folder / "pids"
    if not listed.exists():
        sys.stderr.write("nothing runs\n")
        return 0
    running = [int(line.split()[0]) for line in listed.read_text().splitlines()]
    servers, services = running[:1], running[1:]
    for group in (services, servers):
        _end(group)
    listed.unlink()
    sys.stdout.write("ended\n")
    return 0


def _servers(folder: Path) -> dict[str, str]:
    """RabbitMQ and a MongoDB-protocol server; the URLs that they print when they are ready."""
    _start(folder, "servers", dict(os.environ), "parley.testing.servers", str((folder / "data").absolute()))
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        lines = [line for line in (folder / "servers.log").read_text().splitlines() if line.startswith("PARLEY_")]
        if len(lines) == 2:
            return dict(line.split("=", 1) for line in lines)
        time.sleep(0.1)
    raise RuntimeError("the servers did not start")


def _settings() -> dict[str, str]:
    defaults = {"PARLEY_DEMO": "1", "PARLEY_KNOWLEDGE_FOLDERS": str(HANDBOOK), "PARLEY_LOG_LEVEL": "INFO"}
    return {name: os.environ.get(name, value) for name, value in defaults.items()}


def _start(folder: Path, name: str, environment: dict[str, str], module: str, *arguments: str) -> None:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    with (folder / "pids").open("a") as listed:
        listed.write(f"{process.pid} {name}\n")


def _wait_ready(ports: dict[str, int]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    waiting = dict(ports)
    while waiting and time.monotonic() < deadline:
        waiting = {name: port for name, port in waiting.items() if not _ready(port)}
        time.sleep(0.1)
    if waiting:
        raise RuntimeError(f"not ready after {READY_SECONDS:g} s: {', '.join(waiting)}")


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _end(pids: list[int]) -> None:
    for pid in pids:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(_signal(pid, 0) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in pids:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> bool:
    """Whether the process was there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    place = PlaceSettings.load().home / "local"
    sys.exit(up(place) if sys.argv[1:] == ["up"] else down(place))
