"""Long polling: every request is a short connection that resumes from its cursor and answers with what came.

Nothing is kept between two requests, so any replica can answer the next one. Previews come as one snapshot a poll.
"""

import asyncio
import random
from typing import Any

import orjson

from parley.contracts.v1 import Hello, ReplyChunk
from parley_gateway.desk import Desk
from parley_gateway.door import Knock
from parley_gateway.realtime.connection import Connection
from parley_gateway.realtime.crowd import Crowd
from parley_gateway.realtime.cursor import Cursor
from parley_gateway.realtime.frames import Frame, to_json
from parley_gateway.realtime.lingering import Lingering
from parley_gateway.realtime.streams import SessionKey
from parley_gateway.realtime.view import View

CHUNK_SECONDS = 0.15  # that previews are gathered before a poll is answered for their sake
SETTLE_SECONDS = 5.0  # that a replay may take to begin
RETRY_MS = (500, 3_000)  # until a client whose replica restarts should ask again, spread by chance


class PollView(View):
    """Previews only wake: the answer holds each as one snapshot."""

    fresh = False

    def chunk(self, chunk: ReplyChunk) -> None:
        """Something new of a running reply."""
        self.fresh = True
        self._wake()


class Poll:
    """One request."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._woken = asyncio.Event()
        self._closed = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.connection = Connection(desk, to_json, self._woken.set, self.close, PollView)

    def close(self, code: int, reason: str) -> None:
        """Answer now: the next request finds out how things stand."""
        self._closed = self._closed or code
        self._woken.set()

    async def answer(
        self, hello: Hello, knock: Knock, cursor: Cursor, wait: float, crowd: Crowd, lingering: Lingering
    ) -> "PollAnswer":
        """What there is after `cursor`, or what comes within `wait` seconds; with `wait` below 0 the welcome too.

        Raises Unauthorised, Forbidden, RateLimited, Unavailable.
        """
        with crowd.holds(self, "poll"):
            try:
                with crowd.stranger():
                    await self.connection.greet(hello, knock)
                await self._settled()
                await self._news(cursor, wait)
                return self._collect(cursor, first=wait < 0)
            finally:
                if self.connection.greeted:
                    lingering.wait_for(self.connection.key)
                self.connection.leave()

    async def _settled(self) -> None:
        """Until the replay is at hand, or as much of it as there is room for."""
        view = self.connection.view
        async with asyncio.timeout(SETTLE_SECONDS):
            while view.reading and len(view.outgoing) < 2 and not self._closed:
                self._woken.clear()
                await self._woken.wait()
            await asyncio.sleep(0)

    async def _news(self, cursor: Cursor, wait: float) -> None:
        view = self.connection.view
        if wait < 0 or len(view.outgoing) > 1 or self._desk.ctx.draining.is_set() or self._reloads():
            return
        try:
            async with asyncio.timeout(wait):
                while len(view.outgoing) < 2 and not self._closed and not self._drafts(cursor):
                    self._woken.clear()
                    await self._woken.wait()
                if len(view.outgoing) < 2 and not self._closed:
                    await asyncio.sleep(CHUNK_SECONDS)
        except TimeoutError:
            return

    def _reloads(self) -> bool:
        """Whether the client must be told at once that its position is worth nothing."""
        return not self.connection.recovered

    def _drafts(self, cursor: Cursor) -> list[ReplyChunk]:
        """Running replies of which the client has not seen everything."""
        found = self._desk.streams.drafts(self.connection.key)
        return [draft for draft in found if cursor.drafts.get(draft.message_id, -1) < draft.index]

    def _collect(self, cursor: Cursor, *, first: bool) -> "PollAnswer":
        key, view = self.connection.key, self.connection.view
        welcome, *frames = view.outgoing.take() or [b"{}"]
        if first or self._reloads():
            frames = [welcome, *frames]
        for draft in self._drafts(cursor):
            frames += [to_json(frame) for frame in _preview(key[1], draft, begun=draft.message_id in cursor.drafts)]
        running = {draft.message_id: draft.index for draft in self._desk.streams.drafts(key)}
        epoch, seq = view.position
        retry = random.randint(*RETRY_MS) if self._closed or self._desk.ctx.draining.is_set() else 0  # noqa: S311
        return PollAnswer(key, frames, Cursor(epoch, seq, running), retry)


class PollAnswer:
    """Frames as they are written, and where the client stands then."""

    def __init__(self, key: SessionKey, frames: list[bytes], cursor: Cursor, retry_ms: int) -> None:
        self.key = key
        self.cursor = cursor
        self.retry_ms = retry_ms
        self.frames: list[Any] = [orjson.Fragment(frame) for frame in frames]


def _preview(stream: str, draft: ReplyChunk, *, begun: bool) -> list[Frame]:
    begin = {"stream": stream, "message_id": draft.message_id, "origin": draft.origin}
    chunk = {"stream": stream, "message_id": draft.message_id, "index": draft.index, "delta": draft.delta}
    shown: Frame = {"message_chunk": {**chunk, "snapshot": True}}
    return [shown] if begun else [{"message_begin": begin}, shown]
