"""What one client has been told of its stream: every durable event once and in order, previews in between.

The transport writes what `outgoing` holds. Whatever is missing is read from the store before anything newer is shown.
"""

import asyncio
from collections.abc import Callable

from parley.contracts.v1 import Accepted, HistoryRequest, HistoryResponse, ReplyChunk, StreamEvent
from parley.core import ParleyError
from parley.telemetry import counter, names, span
from parley_gateway.asking import answer_of
from parley_gateway.desk import Desk
from parley_gateway.realtime import closing
from parley_gateway.realtime.frames import Encoder, Frame, error_frame, event_frame
from parley_gateway.realtime.outgoing import Outgoing, Overflow
from parley_gateway.realtime.streams import SessionKey

REPLAY_AT_MOST = 300
READ_SECONDS = 5.0
ROOM_SECONDS = 20.0  # that a client may take to make room while it is told what it missed

_out = {
    kind: counter(names.FRAMES_OUT, kind)
    for kind in ("welcome", "ack", "message_begin", "message_chunk", "event", "error", "ping", "pong", "typing", "bye")
}


class View:
    """One client's side of a stream. `wake` is called when something waits in `outgoing`, `close` ends it all."""

    def __init__(
        self, desk: Desk, encode: Encoder, wake: Callable[[], None], close: Callable[[int, str], None]
    ) -> None:
        self._desk = desk
        self._encode = encode
        self._wake = wake
        self._close = close
        self._key: SessionKey = ("", "")
        self._epoch = 0
        self._seen = 0  # the highest seq up to which this client has been told everything
        self._newest = 0  # the highest seq that anybody has spoken of
        self._live = False
        self._reading: asyncio.Task[None] | None = None
        self._begun: set[str] = set()
        self.outgoing = Outgoing(desk.settings.queue_frames, desk.settings.queue_bytes)

    # ---- position -------------------------------------------------------------------------------------

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and the highest seq up to which everything has been told."""
        return self._epoch, self._seen

    @property
    def reading(self) -> bool:
        """Whether something that was missed is still being told."""
        return self._reading is not None

    async def read(self, key: SessionKey, after: int) -> HistoryResponse:
        """Stored events after a position, as many as are replayed at most. Raises Unavailable."""
        request = HistoryRequest(tenant_id=key[0], session_id=key[1], after_seq=after, limit=REPLAY_AT_MOST)
        return await answer_of(self._desk.sessions.History(request, timeout=READ_SECONDS))

    def begin(self, key: SessionKey, history: HistoryResponse, *, replay: bool) -> None:
        """Show the stream from here: what `history` holds first, or nothing of what was before its head."""
        self._key, self._epoch, self._live = key, history.epoch, True
        self._newest = max(self._newest, history.head_seq)
        self._seen = history.head_seq - len(history.events) if replay else history.head_seq
        for draft in self._desk.streams.drafts(key):
            self.chunk(draft)
        if self._seen < self._newest:
            self._reading = asyncio.create_task(self._catch_up(history if replay else None))

    def stored(self, epoch: int, event: StreamEvent) -> None:
        """A durable event: told once, in order; a gap is read from the store first."""
        if self._moved(epoch):
            return
        in_order = self._live and self._reading is None and event.seq == self._seen + 1
        if in_order:
            self._newest = max(self._newest, event.seq)
            self._show(event)
        else:
            self.head(epoch, event.seq)

    def head(self, epoch: int, head_seq: int) -> None:
        """Somebody says how far the stream has come."""
        self._newest = max(self._newest, head_seq)
        if self._moved(epoch) or not self._live or self._reading is not None or self._newest <= self._seen:
            return
        self._reading = asyncio.create_task(self._catch_up(None))

    def leave(self) -> None:
        """The client is gone."""
        self._live = False
        if self._reading is not None:
            self._reading.cancel()

    def _moved(self, epoch: int) -> bool:
        """Whether the stream has begun anew: then nothing that the client has is worth anything."""
        if self._live and epoch and epoch != self._epoch:
            self._close(closing.LOST, "the conversation begins anew; come back and reload")
            return True
        return False

    async def _catch_up(self, page: HistoryResponse | None) -> None:
        """Tell what is missing, page by page, until nobody has spoken of anything newer."""
        try:
            while page is not None or self._seen < self._newest:
                page = page or await self.read(self._key, self._seen)
                if page.epoch != self._epoch or not self._follows(page):
                    self._close(closing.LOST, "too much was missed; come back and reload")
                    return
                for event in page.events:
                    await self.outgoing.eased(ROOM_SECONDS)
                    if event.seq == self._seen + 1:
                        self._show(event)
                page = None
        except Overflow:
            self._close(closing.SLOW, "reading too slowly; come back and resume")
        except ParleyError:
            self._close(closing.LOST, "the store does not answer; come back")
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the client must not wait for what never comes
            self._desk.log.error("replay.failed", exc=error)
            self._close(closing.LOST, "something went wrong here; come back")
        finally:
            self._reading = None

    def _follows(self, page: HistoryResponse) -> bool:
        """Whether a page brings us to its head, and brings us on."""
        reached = page.events[-1].seq if page.events else 0
        return bool(page.events) and page.events[0].seq <= self._seen + 1 and self._seen < reached == page.head_seq

    # ---- frames ---------------------------------------------------------------------------------------

    def acknowledge(self, accepted: Accepted) -> None:
        """A message of this client is stored; its place counts as told."""
        ack = {
            "client_msg_id": accepted.external_message_id,
            "message_id": accepted.message_id,
            "seq": accepted.seq,
            "duplicate": accepted.duplicate,
            "trace_id": accepted.trace_id,
        }
        self.push("ack", {"ack": ack})
        if self._reading is None and accepted.seq == self._seen + 1:
            self._seen = accepted.seq
            self._newest = max(self._newest, accepted.seq)

    def chunk(self, chunk: ReplyChunk) -> None:
        """A preview; dropped first when the client is slow."""
        if not self._live:
            return
        if chunk.message_id in self._begun:
            self._push_chunk(chunk)
            return
        self._begun.add(chunk.message_id)
        begin = {"stream": self._key[1], "message_id": chunk.message_id, "origin": chunk.origin}
        self.push("message_begin", {"message_begin": begin}, preview=True)
        with span(names.FIRST_CHUNK, context=self._desk.ctx.tracing.follow(chunk.meta.traceparent)):
            self._push_chunk(chunk)

    def ping(self) -> None:
        """Tell the client where the stream stands, so that silent loss shows."""
        if self._live:
            stream = {"id": self._key[1], "epoch": self._epoch, "recovered": True, "head_seq": self._newest}
            self.push("ping", {"ping": {"streams": [stream]}})

    def bye(self, code: int, reason: str, retry_after: float = 0) -> None:
        """Say that the connection ends and why."""
        value = {"code": code, "reason": reason, "retry_after_ms": int(retry_after * 1000)}
        self.push("bye", {"bye": value})

    def refuse(self, code: str, message: str, client_msg_id: str = "", *, retry_after: float = 0) -> None:
        """Say what was wrong with a frame."""
        counter(names.REFUSED, code).inc()
        retry_after_ms = int(retry_after * 1000)
        self.push("error", error_frame(code, message, retry_after_ms=retry_after_ms, client_msg_id=client_msg_id))

    def push(self, kind: str, frame: Frame, *, preview: bool = False) -> None:
        """Queue a frame; a client for which there is no more room is sent away to resume."""
        try:
            self.outgoing.push(self._encode(frame), preview=preview)
        except Overflow:
            self._close(closing.SLOW, "reading too slowly; come back and resume")
            return
        _out[kind].inc()
        self._wake()

    def _show(self, event: StreamEvent) -> None:
        self._seen = event.seq
        if event.HasField("message_end"):
            self._begun.discard(event.message_end.message_id)
            self._desk.streams.ended(self._key, event.message_end.message_id)
        self.push("event", event_frame(self._key[1], self._epoch, event))

    def _push_chunk(self, chunk: ReplyChunk) -> None:
        value = {"stream": self._key[1], "message_id": chunk.message_id, "index": chunk.index, "delta": chunk.delta}
        if chunk.snapshot:
            value["snapshot"] = True
        self.push("message_chunk", {"message_chunk": value}, preview=True)
