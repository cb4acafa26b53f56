"""The product as the benchmark runs it: a process per service, on the run's own RabbitMQ, SQLite for sessions."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVICES = ("knowledge", "media", "session-router", "ai-engine", "gateway")
READY_SECONDS = 60


@dataclass(frozen=True)
class Product:
    """A running desk and its process ids by service."""

    port: int
    pids: dict[str, int]


@contextmanager
def a_product(bus_url: str, *, module: str = "parley.cli", **settings: str) -> Iterator[Product]:
    """Default settings but for: the echo skill (no model's time is counted), and no limit on a visitor or address.

    `module` is what runs a service.
    """
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as home:
        port = _free_port()
        environment = {
            **os.environ,
            "PARLEY_HOME": home,
            "PARLEY_DEMO": "1",
            "PARLEY_TRACE_RATIO": "0.01",
            "PARLEY_BUS_URL": bus_url,
            "PARLEY_GATEWAY_PORT": str(port),
            "PARLEY_GATEWAY_HOST": "127.0.0.1",
            "PARLEY_GATEWAY_MESSAGES_PER_SECOND": "100000",
            "PARLEY_GATEWAY_MESSAGES_BURST": "100000",
            "PARLEY_GATEWAY_NEWCOMERS_BURST": "1000000",
            "PARLEY_GATEWAY_MAX_STRANGERS": "100000",
            "PARLEY_AI_ENGINE_ECHO": "1",
            "PARLEY_LOG_LEVEL": "WARNING",
            **settings,
        }
        parley = [sys.executable, "-m", module]
        # Only the queues of services that run: a queue that nobody reads would fill up beside the measurement.
        subprocess.run([*parley, "topology", "apply", *SERVICES], env=environment, check=True, capture_output=True)
        processes = {}
        for name in SERVICES:
            log = Path(home, f"{name}.log").open("wb")  # noqa: SIM115 - it lives as long as the process
            processes[name] = subprocess.Popen([*parley, "run", name], env=environment, stdout=log, stderr=log)
        try:
            _wait_ready(port, home)
            yield Product(port, {name: process.pid for name, process in processes.items()})
        finally:
            for process in processes.values():
                process.send_signal(signal.SIGTERM)
            for process in processes.values():
                process.wait(timeout=90)


def _wait_ready(port: int, home: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("".join(path.read_text() for path in Path(home).glob("*.log")))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
