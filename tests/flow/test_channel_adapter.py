"""The example of a channel adapter: it loses nothing and doubles nothing, and says what is wrong."""

import asyncio
import json
import os
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.flow.house import a_house

ADAPTER = Path(__file__).resolve().parents[2] / "examples" / "channel_adapter" / "adapter.py"
REPLY = {"recipient": "wxid_wang", "event": {"message_end": {"text": "可以，七天内免费退。"}}}


class Gateway(ThreadingHTTPServer):
    """Stands in for a gateway that has a bad day: it answers posts by a list of statuses."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.statuses = list(statuses)
        self.posted: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.asked_twice = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Door(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        status = self.server.statuses.pop(0)
        self._answer(status, {"message_id": f"msg_{len(self.server.posted)}"} if status < 300 else None)

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.headers["authorization"] != "Bearer good":
            self._answer(401, None)
        elif len(self.server.asked) == 1:
            self._answer(200, {"items": [REPLY], "cursor": "c1"})
        else:
            self.server.asked_twice.set()
            self._answer(503, None)

    def _answer(self, status: int, data: Any) -> None:
        body = json.dumps({"data": data, "message": "the key is not known"}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def bad_day() -> Iterator[Gateway]:
    with Gateway(503, 201, 400, 201) as gateway:
        threading.Thread(target=gateway.serve_forever, args=(0.01,), daemon=True).start()
        yield gateway
        gateway.shutdown()


@asynccontextmanager
async def an_adapter(url: str, key: str) -> AsyncIterator[Process]:
    environment = {**os.environ, "PARLEY_GATEWAY_URL": url, "PARLEY_KEY": key, "PYTHONIOENCODING": "utf-8"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ADAPTER), stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def type_in(process: Process, *lines: str) -> None:
    assert process.stdin is not None
    process.stdin.write("".join(f"{line}\n" for line in lines).encode())


async def printed(process: Process, beginning: str) -> str:
    """The next line that begins so."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        async for line in process.stdout:
            if line.decode().startswith(beginning):
                return line.decode().strip()
    raise AssertionError(f"it ended without printing {beginning}")


async def test_a_message_is_sent_again_with_its_id_until_it_is_taken(bad_day: Gateway) -> None:
    async with an_adapter(bad_day.url, "good") as adapter:
        type_in(adapter, "我要退款")
        assert await printed(adapter, "←") == "← msg_2"
    first, second = bad_day.posted
    assert first == second
    assert first["text"] == "我要退款"
    assert first["external_message_id"]


async def test_a_message_that_is_refused_does_not_stop_the_next(bad_day: Gateway) -> None:
    bad_day.statuses[:] = [400, 201]
    async with an_adapter(bad_day.url, "good") as adapter:
        type_in(adapter, "坏的", "好的")
        assert await printed(adapter, "←") == "← msg_2"
    assert [message["text"] for message in bad_day.posted] == ["坏的", "好的"]
    assert bad_day.posted[0]["external_message_id"] != bad_day.posted[1]["external_message_id"]


async def test_replies_are_printed_and_the_next_are_asked_for_after_them(bad_day: Gateway) -> None:
    async with an_adapter(bad_day.url, "good") as adapter:
        assert await printed(adapter, "→") == "→ 可以，七天内免费退。"
        assert await asyncio.to_thread(bad_day.asked_twice.wait, 10)
    assert bad_day.asked[0].endswith("cursor=")
    assert bad_day.asked[1].endswith("cursor=c1")


async def test_a_wrong_key_ends_it_with_a_sentence(bad_day: Gateway) -> None:
    async with an_adapter(bad_day.url, "bad") as adapter:
        async with asyncio.timeout(20):
            _, said = await adapter.communicate()
        assert adapter.returncode == 1
        assert said.decode().strip() == "✗ 401: the key is not known"


@pytest.mark.slow
async def test_it_brings_a_question_to_the_desk_and_the_answer_back() -> None:
    with a_house() as house:
        made = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "parley.cli", "keys", "create", "terminal", "--scope", "ingest"),
            env={**os.environ, **house.environment},
            stdout=PIPE,
            stderr=PIPE,
        )
        key = (await made.communicate())[0].decode().strip()
        async with an_adapter(house.url, key) as adapter:
            type_in(adapter, "多久可以退货？")
            assert (await printed(adapter, "←")).startswith("← msg_")
            assert "15 天" in await printed(adapter, "→")
