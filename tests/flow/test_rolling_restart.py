"""All gateways are restarted one after another under open streams: nobody reloads, no piece is missing or told twice.

`PARLEY_TEST_STREAMS` sets how many visitors hold a running answer; dozens by default, a thousand where there is time.
"""

import asyncio
import itertools
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from parley.testing.ledger import Ledger
from parley.testing.servers.ports import free_port
from parley.testing.supervisor import Supervisor, supervisor
from parley.testing.visitor import Visitor

pytestmark = [pytest.mark.connected, pytest.mark.slow]
STREAMS = int(os.environ.get("PARLEY_TEST_STREAMS") or "24")
DRAIN_SECONDS = 4
PIECE_SECONDS = 0.25
HANDBOOK = Path(__file__).parents[2] / "examples" / "shop" / "handbook"


@dataclass
class Writer:
    """A model that goes on writing until it may end."""

    port: int = 0
    asked: int = 0
    enough: threading.Event = field(default_factory=threading.Event)


@contextmanager
def a_writer() -> Iterator[Writer]:
    writer = Writer()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            writer.asked += 1
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            try:
                for n in itertools.count():
                    self._say(f"第{n}段，")
                    if writer.enough.wait(PIECE_SECONDS):
                        break
                self._say("七天内可以退货。", finish="stop")
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                pass  # the engine has hung up

        def _say(self, text: str, finish: str | None = None) -> None:
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "slow", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    server.request_queue_size = STREAMS
    writer.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield writer
    finally:
        writer.enough.set()
        server.shutdown()


@asynccontextmanager
async def two_gateways(folder: Path, bus_url: str, writer: Writer) -> AsyncIterator[tuple[Supervisor, dict[str, int]]]:
    """One desk; visitors come in by either gateway."""
    environment = {
        "PARLEY_HOME": str(folder),
        "PARLEY_BUS_URL": bus_url,
        "PARLEY_GATEWAY_HOST": "127.0.0.1",
        "PARLEY_DRAIN_SECONDS": str(DRAIN_SECONDS),
        "PARLEY_DEMO": "0",
        "PARLEY_KNOWLEDGE_FOLDERS": str(HANDBOOK),
        "PARLEY_LLM_URL": f"http://127.0.0.1:{writer.port}/v1",
        "PARLEY_LLM_MODEL": "slow",
        "PARLEY_AI_ENGINE_CACHE_SECONDS": "0",  # all ask the same: none shall share a call
        "PARLEY_LLM_CONNECTIONS": str(min(1000, STREAMS + 10)),
        # An engine keeps a batch in hand until its last turn ends, and turns that come one by one are batches of one.
        "PARLEY_AI_ENGINE_CONCURRENCY": str(16 * (STREAMS + 10)),
    }
    ports = {"gateway-1": free_port(), "gateway-2": free_port()}
    async with supervisor(folder, environment) as services:
        await services.cli("topology", "apply")
        await services.start("knowledge", "session-router", "ai-engine")
        await services.cli("sites", "create", "--key", "demo")
        for name, port in ports.items():
            services.launch("gateway", name, PARLEY_GATEWAY_PORT=str(port))
        await services.ready()
        yield services, ports


async def until(fact: Callable[[], object], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not fact():  # noqa: ASYNC110 - what other processes do has no event here
            await asyncio.sleep(0.02)


async def test_a_rolling_restart_of_all_gateways_is_not_seen(tmp_path: Path, bus_url: str) -> None:
    with a_writer() as writer:
        async with two_gateways(tmp_path, bus_url, writer) as (services, ports):
            up, turns, ledger = dict(ports), itertools.count(), Ledger()

            def address() -> str:
                """The next gateway that is up, as a load balancer would choose it."""
                names = sorted(up)
                return f"127.0.0.1:{up[names[next(turns) % len(names)]]}"

            visitors = [Visitor(address, ledger) for _ in range(STREAMS)]
            living = [asyncio.create_task(visitor.live()) for visitor in visitors]
            try:
                await until(lambda: all(v.connected for v in visitors), 60)
                for visitor in visitors:
                    await visitor.say("多久可以退货？")
                await until(lambda: all(v._previews for v in visitors), 60)
                assert writer.asked == STREAMS
                began = time.monotonic()
                for name, port in ports.items():
                    del up[name]
                    assert await services.stop(name) == 0
                    process = services.launch("gateway", name, PARLEY_GATEWAY_PORT=str(port))
                    await process.wait_ready()
                    up[name] = port
                await until(lambda: all(v.connected for v in visitors), 20)
                print(f"\n{STREAMS} streams, two gateways restarted in {time.monotonic() - began:.1f} s")
                writer.enough.set()
                await until(lambda: all(v.answers == 1 for v in visitors), 60)
            finally:
                for visitor in visitors:
                    await visitor.stop()
                await asyncio.gather(*living)
            assert [problem for v in visitors for problem in v.torn] == []
            assert [v.reloads for v in visitors] == [0] * STREAMS
            assert [v.answers for v in visitors] == [1] * STREAMS
            assert [sorted(e.seq for e in ledger.seen[v.session]) for v in visitors] == [[2]] * STREAMS
            assert writer.asked == STREAMS  # nobody was answered twice
