"""`python -m parley.testing.local up|down`: a process per service, on private real servers, in the background.

Process ids and logs are under `PARLEY_HOME`/local. `up` returns when all is ready; `down` ends what `up` began.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from parley.cli.asking import GatewayAddress
from parley.core.settings import PlaceSettings
from parley.service.registry import registered
from parley.testing.servers.ports import free_port

SERVERS = "servers"
SERVERS_SECONDS = 600.0  # the first time, the MongoDB-protocol server is fetched and compiled
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
        ports = {name: free_port() for name in registered()}
        services = {
            name: _start(folder, name, {**environment, "PARLEY_HEALTH_PORT": str(port)}, "parley.cli", "run", name)
            for name, port in ports.items()
        }
        _wait_ready(folder, services, ports)
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
    running = [line.split() for line in listed.read_text().splitlines()]
    _end([int(pid) for pid, name in running if name != SERVERS])
    _end([int(pid) for pid, name in running if name == SERVERS])
    listed.unlink()
    sys.stdout.write("ended\n")
    return 0


def _servers(folder: Path) -> dict[str, str]:
    """RabbitMQ and a MongoDB-protocol server; the URLs that they print when they are ready."""
    data = str((folder / "data").absolute())
    process = _start(folder, SERVERS, dict(os.environ), "parley.testing.servers", data)
    deadline = time.monotonic() + SERVERS_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        printed = (folder / f"{SERVERS}.log").read_text()
        lines = [line for line in printed.splitlines() if line.startswith("PARLEY_")]
        if len(lines) == 2:
            return dict(line.split("=", 1) for line in lines)
        time.sleep(0.1)
    raise RuntimeError(f"the servers did not start: {_tail(folder, SERVERS)}")


def _settings() -> dict[str, str]:
    defaults = {"PARLEY_DEMO": "1", "PARLEY_KNOWLEDGE_FOLDERS": str(HANDBOOK), "PARLEY_LOG_LEVEL": "INFO"}
    return {name: os.environ.get(name, value) for name, value in defaults.items()}


def _start(
    folder: Path, name: str, environment: dict[str, str], module: str, *arguments: str
) -> "subprocess.Popen[bytes]":
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    with (folder / "pids").open("a") as listed:
        listed.write(f"{process.pid} {name}\n")
    return process


def _wait_ready(folder: Path, services: dict[str, "subprocess.Popen[bytes]"], ports: dict[str, int]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    waiting = dict(ports)
    while waiting and time.monotonic() < deadline:
        for name in waiting:
            if (code := services[name].poll()) is not None:
                raise RuntimeError(f"{name} ended with {code}: {_tail(folder, name)}")
        waiting = {name: port for name, port in waiting.items() if not _ready(port)}
        time.sleep(0.1)
    if waiting:
        raise RuntimeError(f"not ready after {READY_SECONDS:g} s: {', '.join(waiting)}")


def _tail(folder: Path, name: str) -> str:
    return (folder / f"{name}.log").read_text(errors="replace")[-1000:].strip()


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _end(pids: list[int]) -> None:
    ours = [pid for pid in pids if _is_ours(pid)]
    for pid in ours:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(_is_ours(pid) for pid in ours) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in ours:
        if _is_ours(pid):
            os.kill(pid, signal.SIGKILL)


def _is_ours(pid: int) -> bool:
    """Whether the process lives and is one that `up` began: after a reboot its number may be somebody else's."""
    try:
        if not Path("/proc/self").exists():
            os.kill(pid, 0)  # no way to know more on this system
            return True
        return b"-m\0parley." in Path(f"/proc/{pid}/cmdline").read_bytes()  # empty for one that has ended
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    place = PlaceSettings.load().home / "local"
    sys.exit(up(place) if sys.argv[1:] == ["up"] else down(place))
