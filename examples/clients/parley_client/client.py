"""What every good client does: keep what is not acknowledged, come back with jitter, and resume from its position."""

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .lines import Away, Line, Refused

Frame = dict[str, Any]
LEAST_SECONDS = 0.2
ACK_SECONDS = 10.0  # after which a message is sent again under the same id


@dataclass
class _Entry:
    text: str
    sent_at: float = 0.0


@dataclass
class Client:
    """One conversation. `on_frame` hears every frame; events come to it once each and in order."""

    line: Callable[[], Line]
    site_key: str = "demo"
    token: str = ""
    longest_pause: float = 20.0  # seconds; each pause is a random part of a length that doubles
    on_frame: Callable[[Frame], None] = lambda _: None
    session: str = ""
    epoch: int = 0
    seq: int = 0
    reloads: int = 0  # how often the position was lost: read the history from the beginning then
    outbox: dict[str, _Entry] = field(default_factory=dict)
    refused: dict[str, Frame] = field(default_factory=dict)
    _early: dict[int, Frame] = field(default_factory=dict)
    _line: Line | None = None
    _open: Line | None = None  # once it was welcomed
    _wait_until: float = 0.0

    async def live(self) -> None:
        """Until cancelled. Raises Refused when coming back would be in vain."""
        attempt = 0
        while True:
            resending = asyncio.create_task(self._resend())
            try:
                async with contextlib.aclosing(self._frames()) as frames:
                    async for frame in frames:
                        attempt = 0
                        await self._take(frame)
            except Away as away:
                self._wait_until = time.monotonic() + away.retry_after
            finally:
                self._open = None
                resending.cancel()
            attempt += 1
            most = min(self.longest_pause, LEAST_SECONDS * 2**attempt)
            await asyncio.sleep(max(self._wait_until - time.monotonic(), random.uniform(0, most)))

    async def say(self, text: str) -> str:
        """Keep a message and send it as soon as can be; its id."""
        client_msg_id = str(uuid.uuid4())
        self.outbox[client_msg_id] = _Entry(text)
        await self._send_due()
        return client_msg_id

    async def signal(self, kind: str, **fields: Any) -> None:
        """A passing `typing`, `read` or `stop`; nothing while nobody hears it."""
        if self._open is not None:
            await self._open.send({kind: fields})

    def _frames(self) -> Any:
        hello: Frame = (
            {"client": "parley-example/1", "token": self.token} if self.token else {"site_key": self.site_key}
        )
        if self.session:
            hello["streams"] = [{"id": self.session, "epoch": self.epoch, "after_seq": self.seq}]
        self._line = line = self.line()
        return line.frames(hello)

    async def _take(self, frame: Frame) -> None:
        (kind, value), *_ = frame.items()
        if kind == "welcome":
            await self._welcomed(value)
        elif kind == "ack":
            self.outbox.pop(value["client_msg_id"], None)
            self._arrived(value.get("seq", 0), {})
        elif kind == "event":
            self._arrived(value["seq"], frame)
            return
        elif kind == "error":
            self._failed(value)
        elif kind == "bye":
            self._wait_until = time.monotonic() + value.get("retry_after_ms", 0) / 1000
        elif kind == "ping" and self._open is not None:
            await self._open.send({"pong": {}})
        self.on_frame(frame)

    async def _welcomed(self, welcome: Frame) -> None:
        stream = welcome["streams"][0]
        self.token = welcome.get("token") or self.token
        self.session, self.epoch = welcome["session_id"], stream["epoch"]
        if not stream.get("recovered"):
            self.reloads += 1
            self.seq = stream.get("head_seq", 0)
            self._early.clear()
        self._open = self._line
        for entry in self.outbox.values():
            entry.sent_at = 0.0
        await self._send_due()

    def _arrived(self, seq: int, frame: Frame) -> None:
        """In order, once each. Of a message of ours the ack may be all that comes: it has no frame."""
        if seq > self.seq and not self._early.get(seq):
            self._early[seq] = frame
        while self.seq + 1 in self._early:
            self.seq += 1
            if ready := self._early.pop(self.seq):
                self.on_frame(ready)

    def _failed(self, error: Frame) -> None:
        client_msg_id = error.get("client_msg_id", "")
        if error["code"] in ("rate_limited", "unavailable"):
            wait = error.get("retry_after_ms", 1000) / 1000
            if entry := self.outbox.get(client_msg_id):
                entry.sent_at = time.monotonic() + wait - ACK_SECONDS
        elif self.outbox.pop(client_msg_id, None):
            self.refused[client_msg_id] = error

    async def _resend(self) -> None:
        while True:
            await asyncio.sleep(1)
            with contextlib.suppress(Away):
                await self._send_due()

    async def _send_due(self) -> None:
        now = time.monotonic()
        for client_msg_id, entry in list(self.outbox.items()):
            if not entry.sent_at or now - entry.sent_at >= ACK_SECONDS:
                await self._transmit(client_msg_id, entry)

    async def _transmit(self, client_msg_id: str, entry: _Entry) -> None:
        if self._open is None:
            return
        entry.sent_at = time.monotonic()
        with contextlib.suppress(Away):  # it stays in the outbox, and the line ends by itself
            await self._open.send({"send": {"client_msg_id": client_msg_id, "text": entry.text}})


__all__ = ["Client", "Refused"]
