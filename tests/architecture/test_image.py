"""The image is built from its file, and what runs in it answers a visitor and ends in good order."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from deploy.checks.names import ROOT
from parley.core import new_id
from parley.testing.servers.ports import free_port
from parley.testing.visitor import PROTOCOL

pytestmark = pytest.mark.slow

BUILD_SECONDS, START_SECONDS, ANSWER_SECONDS, STOP_SECONDS = 900, 60, 30, 20
IMAGE = "parley:test"
USER = 10001  # of deploy/Dockerfile


class Container(ABC):
    """The image's own command in a container of its own, on the machine's network."""

    def __init__(self, home: Path, gateway: int, health: int) -> None:
        self.name = f"parley-{new_id('t')}".lower()
        self.gateway, self.health = gateway, health
        told = {
            "PARLEY_DEMO": "1",
            "PARLEY_DRAIN_SECONDS": "2",
            "PARLEY_GATEWAY_HOST": "127.0.0.1",
            "PARLEY_GATEWAY_PORT": str(gateway),
            "PARLEY_HEALTH_PORT": str(health),
            "PARLEY_KNOWLEDGE_FOLDERS": "demo=/srv/handbook",
        }
        self._options = [part for name, value in told.items() for part in ("--env", f"{name}={value}")]
        handbook = ROOT / "examples/shop/handbook"
        self._options += ["--volume", f"{home}:/var/lib/parley:rw", "--volume", f"{handbook}:/srv/handbook:ro"]

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it, and ends with its exit code."""

    @abstractmethod
    def process(self) -> int:
        """The id of the process that a container runtime signals: the container's first."""

    @abstractmethod
    def remove(self) -> None:
        """Leave nothing of it."""


class ByDocker(Container):
    def command(self) -> list[str]:
        safe = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "host"]
        return ["docker", "run", "--name", self.name, *safe, *self._options, IMAGE]

    def process(self) -> int:
        return int(output("docker", "inspect", "--format", "{{.State.Pid}}", self.name))

    def remove(self) -> None:
        subprocess.run(["docker", "rm", "--force", self.name], capture_output=True, check=False)


class ByBuildah(Container):
    def command(self) -> list[str]:
        output(*buildah(), "from", "--pull-never", "--name", self.name, IMAGE)
        return [*buildah(), "run", "--isolation", "chroot", *self._options, self.name, "--", "parley", "run", "all"]

    def process(self) -> int:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                ours = f"PARLEY_HEALTH_PORT={self.health}".encode() in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if ours and words[0].endswith(b"/python") and words[2:4] == [b"run", b"all"]:
                return int(entry.name)
        raise ProcessLookupError("parley run all does not run")

    def remove(self) -> None:
        subprocess.run([*buildah(), "rm", self.name], capture_output=True, check=False)


def buildah() -> list[str]:
    """As deploy/build_image.sh calls it."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = os.environ.get("IMAGE_CACHE") or f"{home}/parley/image"
    driver = os.environ.get("STORAGE_DRIVER") or "overlay"
    return ["buildah", "--root", f"{cache}/storage", "--runroot", f"{cache}/run", "--storage-driver", driver]


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def wait_until(fact: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


def answers(port: int, path: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def kind() -> type[Container]:
    """The image is built; the first time this takes minutes, later on only what has changed is."""
    done = subprocess.run(
        ["bash", "deploy/build_image.sh"],
        cwd=ROOT,
        env=os.environ | {"IMAGE": IMAGE},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return ByDocker if docker_answers() else ByBuildah


@contextmanager
def running(kind: type[Container], home: Path) -> Iterator[tuple[Container, subprocess.Popen[bytes]]]:
    """The container, ready; removed at the end."""
    home.mkdir()
    home.chmod(0o777)
    container = kind(home, free_port(), free_port())
    log = home.parent / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(container.command(), stdout=out, stderr=out)
    try:
        wait_until(lambda: answers(container.health, "/readyz") or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, log.read_text()[-2000:]
        yield container, process
    finally:
        container.remove()
        if process.poll() is None:
            process.kill()
            process.wait(STOP_SECONDS)


async def origin_of_answer(port: int, question: str) -> str:
    """Where the engine's answer to a visitor comes from."""
    async with (
        asyncio.timeout(ANSWER_SECONDS),
        connect(f"ws://127.0.0.1:{port}/v1/rt", subprotocols=[PROTOCOL]) as socket,
    ):
        await socket.send(json.dumps({"hello": {"site_key": "demo", "client": "test"}}))
        await socket.send(json.dumps({"send": {"client_msg_id": new_id("c"), "text": question}}))
        async for frame in socket:
            if end := json.loads(frame).get("event", {}).get("message_end"):
                return str(end["origin"])
    return "the connection was closed"


def test_the_image_answers_and_ends_in_good_order(kind: type[Container], tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running(kind, home) as (container, process):
        page = httpx.get(f"http://127.0.0.1:{container.gateway}/", trust_env=False)
        assert page.text.startswith("<!doctype html>")
        assert asyncio.run(origin_of_answer(container.gateway, "多久可以退货？")) == "extractive"
        main = container.process()
        assert Path(f"/proc/{main}").stat().st_uid == USER
        os.kill(main, signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    assert (home / "parley.db").stat().st_uid == USER
