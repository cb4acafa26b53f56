"""One call being answered, as its script says."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from parley.testing.model import anthropic_wire, openai_wire
from parley.testing.model.faults import Stop, Write, steps
from parley.testing.model.http import Request, answer, chunk, stream_head
from parley.testing.model.ledger import Call, Ledger
from parley.testing.model.script import Script
from parley.testing.model.wire import Refusal

_RATES = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-tokens": "29000",
    "x-ratelimit-reset-tokens": "6m0s",
}


class Answering:
    """One call being answered. The client's hang-up ends every wait."""

    def __init__(
        self,
        call: Call,
        script: Script,
        ledger: Ledger,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._call = call
        self._script = script
        self._ledger = ledger
        self._writer = writer
        self._reader = reader

    async def answer(self, request: Request, keys: dict[str, int]) -> bool:
        """Whether the connection may be used again."""
        script = self._script
        if script.fault == "hang":
            return await self._wait(None)
        if not await self._wait(script.first_byte_seconds):
            return False
        if script.fault == "reset":
            return self._tear()
        if script.fault == "html":
            self._call.outcome = "cut"
            return self._send(answer(200, b"<html><body>Gateway</body></html>", {}, kind="text/html"))
        return await self._reply(request, keys)

    async def _reply(self, request: Request, keys: dict[str, int]) -> bool:
        call, script = self._call, self._script
        try:
            self._check(request, keys)
            if request.path.endswith("/embeddings"):
                return self._whole(openai_wire.embeddings(call))
            if call.body.get("stream"):
                return await self._stream()
            wire = anthropic_wire if call.vendor == "anthropic" else openai_wire
            return self._whole(wire.whole(call, script))
        except Refusal as refusal:
            call.status, call.outcome = refusal.status, "refused"
            return self._send(answer(refusal.status, refusal.body, {**refusal.headers, **self._limits()}))

    def _check(self, request: Request, keys: dict[str, int]) -> None:
        """Refuse what the vendor would refuse, then what the script refuses."""
        call, script = self._call, self._script
        if not call.key:
            raise self._refusal(401, "")
        if call.key in keys:
            raise self._refusal(keys[call.key], "")
        if script.status != 200:
            raise self._refusal(script.status, script.error)
        if call.vendor == "anthropic":
            anthropic_wire.check(call, request.headers.get("anthropic-version", ""))
        elif not request.path.endswith("/embeddings"):
            openai_wire.check(call)
        call.cached_tokens = min(script.cached_tokens, call.input_tokens)

    def _refusal(self, status: int, code: str) -> Refusal:
        if self._call.vendor == "anthropic":
            return anthropic_wire.refuse(status, code)
        return openai_wire.refuse(status, code, vendor=self._call.vendor)

    def _limits(self) -> dict[str, str]:
        retry = {"retry-after": self._script.retry_after} if self._script.retry_after is not None else {}
        rates = _RATES if self._call.vendor == "openai" else {}
        return {**rates, **retry, **self._script.headers}

    def _whole(self, body: object) -> bool:
        self._call.outcome = "complete"
        self._call.reported = self._script.fault != "no_usage"
        return self._send(answer(200, body, self._limits()))

    async def _stream(self) -> bool:
        call, script = self._call, self._script
        wire = anthropic_wire if call.vendor == "anthropic" else openai_wire
        self._writer.write(stream_head(self._limits()))
        plan: Iterator[Write | Stop] = steps(wire.frames(call, script), script, wire.error_frame())
        if script.fault == "joined":
            plan = _joined(plan)
        for step in plan:
            if isinstance(step, Stop):
                return await self._stop(step)
            if not await self._write(step):
                return False
        raise AssertionError("a stream ends with a Stop")

    async def _write(self, step: Write) -> bool:
        text = step.kind == "text"
        seconds = self._script.chunk_seconds if text else 0.0
        if not await self._wait(seconds or (0.005 if self._script.fault == "drip" else 0.0)):
            return False
        self._writer.write(chunk(step.data))
        await self._writer.drain()
        self._call.chunks += text
        self._ledger.changed()
        if step.kind == "usage" and self._script.fault != "no_usage":
            self._call.reported = True
        if step.kind == "end":
            self._call.outcome = "complete"
        return True

    async def _stop(self, step: Stop) -> bool:
        if step.how == "stall":
            return await self._wait(None)
        if step.how == "broken":
            return self._tear()
        if self._call.outcome == "open":
            self._call.outcome = "cut"
        return self._send(chunk(b""))

    async def _wait(self, seconds: float | None) -> bool:
        """Wait so long, or for ever; False as soon as the client has hung up."""
        if seconds == 0:
            return not self._reader.at_eof()
        gone = asyncio.ensure_future(self._reader.read(1))
        try:
            await asyncio.wait({gone}, timeout=seconds)
            return not gone.done()
        finally:
            gone.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await gone

    def _tear(self) -> bool:
        self._call.outcome = "cut"
        self._writer.transport.abort()
        return False

    def _send(self, data: bytes) -> bool:
        self._writer.write(data)
        return True


def _joined(plan: Iterator[Write | Stop]) -> Iterator[Write | Stop]:
    """Three events in each write."""
    held: list[Write] = []
    for step in plan:
        if isinstance(step, Write):
            held.append(step)
        if held and (isinstance(step, Stop) or len(held) == 3 or step.kind in {"usage", "end"}):
            yield replace(held[-1], data=b"".join(write.data for write in held))
            held = []
        if isinstance(step, Stop):
            yield step
