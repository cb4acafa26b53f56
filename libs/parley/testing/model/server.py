"""The stand-in's server: real connections, scripted answers, its own ledger."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from parley.testing.model.answering import Answering
from parley.testing.model.http import Request, answer, read_request
from parley.testing.model.ledger import Call, Ledger
from parley.testing.model.script import MODES, Script

_VENDORS = {
    "/v1/chat/completions": "openai",
    "/v1/embeddings": "openai",
    "/compatible-mode/v1/chat/completions": "dashscope",
    "/compatible-mode/v1/embeddings": "dashscope",
    "/v1/messages": "anthropic",
}


class ModelServer:
    """Answers as scripted.

    By the first of these: the header `x-stand-in`, `queue` (one each), `scripts` by model, a model's name of
    `stand-in:MODE`, `script`.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.ledger = Ledger()
        self.script = Script()
        self.scripts: dict[str, Script] = {}
        self.queue: deque[Script] = deque()
        self.keys: dict[str, int] = {}  # key -> the status it is refused with; others are welcome

    @property
    def url(self) -> str:
        """OpenAI's base URL, `/v1` included."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def dashscope_url(self) -> str:
        """DashScope's compatible mode."""
        return f"http://127.0.0.1:{self.port}/compatible-mode/v1"

    @property
    def anthropic_url(self) -> str:
        """Anthropic's base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def settled(self, seconds: float = 5.0) -> None:
        """Wait until no call is being answered. Raises TimeoutError."""
        await self.ledger.until(lambda: not self.ledger.open, seconds)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side has enough of it."""
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._handle(request, reader, writer):
                    break
        except (ConnectionError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort() if writer.is_closing() else writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _handle(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection may be used again."""
        if request.path.endswith("/models"):
            models = [{"id": name, "object": "model"} for name in sorted(self.scripts) or ["stand-in"]]
            writer.write(answer(200, {"object": "list", "data": models}, {}))
            return True
        vendor = _VENDORS.get(request.path)
        if vendor is None or request.method != "POST":
            writer.write(answer(404, {"error": {"message": f"no {request.path} here", "code": "not_found"}}, {}))
            return True
        call = _call(request, vendor)
        self.ledger.calls.append(call)
        self.ledger.changed()
        try:
            script = self._script_for(request, call)
            return await Answering(call, script, self.ledger, reader, writer).answer(request, self.keys)
        finally:
            call.ended_at = asyncio.get_running_loop().time()
            if call.outcome == "open":
                call.outcome = "closed"
            self.ledger.changed()

    def _script_for(self, request: Request, call: Call) -> Script:
        if told := request.headers.get("x-stand-in"):
            return Script.from_json(told)
        if self.queue:
            return self.queue.popleft()
        if call.model in self.scripts:
            return self.scripts[call.model]
        return MODES.get(call.model.partition("stand-in:")[2], self.script)


def _call(request: Request, vendor: str) -> Call:
    try:
        body = json.loads(request.body)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    bearer = request.headers.get("authorization", "").removeprefix("Bearer").strip()
    key = bearer or (request.headers.get("x-api-key", "") if vendor == "anthropic" else "")
    return Call(vendor, str(body.get("model", "")), key, body, asyncio.get_running_loop().time())


@asynccontextmanager
async def model_server(port: int = 0) -> AsyncIterator[ModelServer]:
    """A stand-in on a free port; running calls are hung up when it ends."""
    running: set[asyncio.Task[None]] = set()
    stand_in = ModelServer(port)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(stand_in.serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    stand_in.port = server.sockets[0].getsockname()[1]
    try:
        yield stand_in
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
