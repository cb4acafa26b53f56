"""The whole house as its operator starts it: `parley run all` in its own process, on a free port, in a new home."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

HANDBOOK = Path(__file__).parents[2] / "examples" / "shop" / "handbook"
START_SECONDS = 30
SERVICES = ("knowledge", "media", "session-router", "ai-engine", "gateway")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class House:
    """One running process, or several that make one desk."""

    home: Path
    port: int
    environment: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *names: str) -> None:
        """Start a process that runs these services."""
        log = (self.home / f"{'-'.join(names)}.log").open("ab")
        command = [sys.executable, "-m", "parley.cli", "run", *names]
        self.processes["+".join(names)] = subprocess.Popen(
            command, env={**os.environ, **self.environment}, stdout=log, stderr=log, start_new_session=True
        )

    def start_each(self) -> None:
        """Every service of a turn as its own process, ready."""
        for name in SERVICES:
            self.start(name)
        self.wait_ready()

    def apply_topology(self) -> None:
        """What the operator does once per installation."""
        command = [sys.executable, "-m", "parley.cli", "topology", "apply"]
        subprocess.run(command, env={**os.environ, **self.environment}, check=True, capture_output=True)

    def stop(self, name: str, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end; the exit code."""
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(timeout=30)

    def logs(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self.home.glob("*.log"))

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if self.get("/readyz", raw=True)[0] == 200:
                    return
            except OSError:
                pass
            if any(process.poll() is not None for process in self.processes.values()):
                break
            time.sleep(0.05)  # the process has no event to wait for
        raise AssertionError(f"not ready:\n{self.logs()[-4000:]}")

    @property
    def operator_key(self) -> str:
        return (self.home / "operator.key").read_text().strip()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """One REST call: status, parsed body, headers."""
        content = data if data is not None else None if body is None else json.dumps(body).encode()
        given = {"content-type": "application/json"} if body is not None else {}
        if key:
            given["authorization"] = f"Bearer {key}"
        request = urllib.request.Request(
            self.url + path, data=content, method=method, headers={**given, **(headers or {})}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null"), dict(answer.headers)
        except urllib.error.HTTPError as error:
            raw = error.read()
            return error.code, json.loads(raw) if raw[:1] == b"{" else raw, dict(error.headers)

    def get(self, path: str, *, raw: bool = False) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            if raw:
                return error.code, error.read()
            raise


@contextmanager
def a_house(**environment: str) -> Iterator[House]:
    """`parley run all` until the context is left; a short path, since sockets live under it."""
    with a_plot(**environment) as house:
        house.start("all")
        house.wait_ready()
        yield house


@contextmanager
def a_plot(**environment: str) -> Iterator[House]:
    """A house in which nothing runs yet."""
    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        home, port = Path(folder), free_port()
        settings = {
            "PARLEY_HOME": str(home),
            "PARLEY_GATEWAY_PORT": str(port),
            "PARLEY_GATEWAY_HOST": "127.0.0.1",
            "PARLEY_DEMO": "1",
            "PARLEY_DRAIN_SECONDS": "2",
            "PARLEY_KNOWLEDGE_FOLDERS": str(HANDBOOK),
            **environment,
        }
        house = House(home, port, settings)
        try:
            yield house
        finally:
            for process in house.processes.values():
                process.kill()
                process.wait()


class Client:
    """A WebSocket client that keeps every frame it was sent."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []

    async def send(self, frame: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(frame, ensure_ascii=False))

    async def say(self, text: str, client_msg_id: str) -> None:
        await self.send({"send": {"client_msg_id": client_msg_id, "text": text}})

    async def until(self, kind: str, *, seconds: float = 10, **fields: Any) -> dict[str, Any]:
        """The next frame of a kind (`event.message_end` for one inside an event); earlier ones are kept in `frames`."""
        async with asyncio.timeout(seconds):
            while True:
                frame = json.loads(await self.socket.recv())
                self.frames.append(frame)
                value: Any = frame
                for part in kind.split("."):
                    value = value.get(part) if isinstance(value, dict) else None
                if value is not None and all(value.get(k) == v for k, v in fields.items()):
                    return dict(value)


async def a_client(house: House, hello: dict[str, Any] | None = None, **options: Any) -> Client:
    """Connected and greeted; `client.welcome` is in `frames[0]`."""
    url = f"ws://127.0.0.1:{house.port}/v1/rt"
    socket = await connect(url, subprotocols=[Subprotocol("parley.v1.json")], **options)
    client = Client(socket)
    await client.send({"hello": hello or {"site_key": "demo", "name": "王小明", "locale": "zh-CN"}})
    await client.until("welcome")
    return client
