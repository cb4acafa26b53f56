"""One visitor's connection, whatever carries it: greeting, sending, and being told in order.

The transport gives frames to `receive` and writes what `outgoing` holds; nothing here knows of sockets.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from parley.contracts.v1 import (
    Accepted,
    ClientFrame,
    Hello,
    HistoryRequest,
    HistoryResponse,
    ReplyChunk,
    Send,
    Sender,
    SenderKind,
    SessionsAsyncStub,
    StopRequested,
    StreamAttached,
    StreamDetached,
    StreamEvent,
    VisitorTyping,
)
from parley.core import Invalid, ParleyError, Unavailable
from parley.service import Context
from parley.telemetry import Log, TraceContext, counter, histogram, names, span
from parley_gateway.access import Access
from parley_gateway.asking import Unauthorised, answer_of
from parley_gateway.inbox import Inbox, Written
from parley_gateway.limits import RateLimit
from parley_gateway.media import MediaDesk
from parley_gateway.realtime.frames import Encoder, Frame, error_frame, event_frame
from parley_gateway.realtime.outgoing import Outgoing, Overflow
from parley_gateway.realtime.streams import SessionKey, Streams
from parley_gateway.settings import GatewaySettings

REPLAY_AT_MOST = 300
CLOSE_UNAUTHORISED, CLOSE_FORBIDDEN, CLOSE_BAD_FRAME = 4001, 4003, 4002
CLOSE_DRAIN, CLOSE_SLOW, CLOSE_LOST, CLOSE_BUSY = 4100, 4101, 4102, 4129

_in = {kind: counter(names.FRAMES_IN, kind) for kind in ("hello", "send", "typing", "read", "stop", "ping", "pong")}
_out = {
    kind: counter(names.FRAMES_OUT, kind)
    for kind in ("welcome", "ack", "message_begin", "message_chunk", "event", "error", "ping", "pong", "typing", "bye")
}
_ack_seconds = histogram(names.ACK_SECONDS)


@dataclass(frozen=True)
class Desk:
    """What every connection of this gateway shares."""

    ctx: Context[Any]
    settings: GatewaySettings
    streams: Streams
    inbox: Inbox
    access: Access
    sessions: SessionsAsyncStub
    media: MediaDesk
    rates: RateLimit
    log: Log


class Connection:
    """One client. `wake` is called when something waits in `outgoing`; `close` asks the transport to close."""

    def __init__(
        self, desk: Desk, encode: Encoder, wake: Callable[[], None], close: Callable[[int, str], None]
    ) -> None:
        self._desk = desk
        self._encode = encode
        self._wake = wake
        self._close = close
        self._key: SessionKey | None = None
        self._sender = Sender(kind=SenderKind.SENDER_KIND_VISITOR)
        self._epoch = 0
        self._seen = 0  # the highest seq up to which this client has been told everything
        self._live = False
        self._repairing: asyncio.Task[None] | None = None
        self._begun: set[str] = set()
        self.outgoing = Outgoing(desk.settings.queue_frames, desk.settings.queue_bytes)
        self.silent_since = time.monotonic()

    @property
    def greeted(self) -> bool:
        """Whether the client has said who it is."""
        return self._key is not None

    # ---- from the client ----------------------------------------------------------------------------

    async def greet(self, hello: Hello, origin: str) -> None:
        """Verify, begin to show the session, replay what was missed. Raises Unauthorised, Forbidden, Unavailable."""
        _in["hello"].inc()
        token, fresh, welcome = await self._identify(hello, origin)
        self._key = token
        tenant, session = token
        self._sender = Sender(
            kind=SenderKind.SENDER_KIND_VISITOR, id=session, name=hello.name[:80], locale=hello.locale[:35]
        )
        if self._desk.streams.join(token, self) and not fresh:
            attached = StreamAttached(gateway_id=self._desk.ctx.replica)
            self._desk.inbox.tell(attached, tenant, session)
        position = next((p for p in hello.streams if p.id in ("", session)), None)
        history = HistoryResponse(epoch=1) if fresh else await self._history(position.after_seq if position else 0)
        known = position is None or position.epoch in (0, history.epoch)
        after = position.after_seq if position else 0
        recovered = known and after <= history.head_seq and history.head_seq - after == len(history.events)
        self._epoch = history.epoch
        stream = {"id": session, "epoch": history.epoch, "recovered": recovered, "head_seq": history.head_seq}
        self._push("welcome", {**welcome, "session_id": session, "streams": [stream]})
        if recovered:
            self._replay(history)
        self._seen = history.head_seq
        self._live = True
        for draft in self._desk.streams.drafts(token):
            self.chunk(draft)

    def receive(self, frame: ClientFrame) -> None:
        """Any frame after the greeting. Never raises: what is wrong is said to the client."""
        self.silent_since = time.monotonic()
        kind = frame.WhichOneof("frame")
        if kind is None:
            self._refuse("bad_frame", "this frame is empty or of a kind that this server does not know")
            return
        _in[kind].inc()
        if kind == "send":
            self._send(frame.send)
        elif kind == "ping":
            self._push("pong", {"n": frame.ping.n})
        elif kind == "hello":
            self._refuse("bad_frame", "hello was said already; open a new connection to change who you are")
        elif kind in ("typing", "stop"):
            self._signal(frame)

    def leave(self) -> None:
        """The client is gone."""
        if self._repairing is not None:
            self._repairing.cancel()
        if self._key is not None and self._desk.streams.leave(self._key, self):
            self._desk.inbox.tell(StreamDetached(gateway_id=self._desk.ctx.replica), *self._key)

    def _send(self, send: Send) -> None:
        assert self._key is not None
        tenant, session = self._key
        wait = self._desk.rates.take(f"{tenant}:{session}", time.monotonic())
        if wait:
            self._refuse("rate_limited", "that was too fast", send.client_msg_id, retry_after=wait)
            return
        context = self._desk.ctx.tracing.begin()
        try:
            self._desk.inbox.check(send.client_msg_id, send.text, len(send.media_ids))
            if send.stream not in ("", session):
                raise Invalid("this token is for another session")
            if send.media_ids:
                self._later(self._send_with_media(send, context), send.client_msg_id)
            else:
                self._write(send, (), context)
        except Unavailable as error:
            self._refuse("unavailable", str(error), send.client_msg_id, retry_after=error.retry_after)
        except ParleyError as error:
            self._refuse("invalid", str(error), send.client_msg_id)

    async def _send_with_media(self, send: Send, context: TraceContext) -> None:
        assert self._key is not None
        media = tuple([await self._desk.media.reference(*self._key, media_id) for media_id in send.media_ids[:10]])
        self._write(send, media, context)

    def _write(self, send: Send, media: tuple[Any, ...], context: TraceContext) -> None:
        assert self._key is not None
        began = time.monotonic()
        written = Written(*self._key, "web", send.client_msg_id, self._sender, send.text, media)
        self._desk.inbox.write(
            written,
            context,
            lambda inside, accepted: self._acknowledge(accepted, inside, began),
            lambda error: self._refuse("unavailable", str(error), send.client_msg_id, retry_after=2),
        )

    def _later(self, work: Any, client_msg_id: str) -> None:
        task = asyncio.create_task(work)

        def finished(done: asyncio.Task[None]) -> None:
            error = None if done.cancelled() else done.exception()
            if isinstance(error, ParleyError):
                self._refuse("invalid", str(error), client_msg_id)
            elif error is not None:
                self._desk.log.error("send.failed", exc=error)
                self._refuse("unavailable", "something went wrong here; send it again", client_msg_id, retry_after=2)

        task.add_done_callback(finished)

    def _signal(self, frame: ClientFrame) -> None:
        assert self._key is not None
        if frame.HasField("stop"):
            self._desk.inbox.tell(StopRequested(message_id=frame.stop.message_id), *self._key)
        elif self._desk.rates.take(f"typing:{self._key}", time.monotonic()) == 0:
            self._desk.inbox.tell(VisitorTyping(gateway_id=self._desk.ctx.replica), *self._key)

    # ---- to the client --------------------------------------------------------------------------------

    def _acknowledge(self, accepted: Accepted, context: TraceContext, began: float) -> None:
        _ack_seconds.observe(time.monotonic() - began)
        with span(names.ACKNOWLEDGE_MESSAGE, context=context):
            self._push(
                "ack",
                {
                    "client_msg_id": accepted.external_message_id,
                    "message_id": accepted.message_id,
                    "seq": accepted.seq,
                    "duplicate": accepted.duplicate,
                    "trace_id": accepted.trace_id,
                },
            )
        if accepted.seq == self._seen + 1:
            self._seen = accepted.seq

    def stored(self, epoch: int, event: StreamEvent) -> None:
        """A durable event: told once, in order; a gap is read from the store first."""
        if not self._live or event.seq <= self._seen:
            return
        if self._repairing is not None or event.seq != self._seen + 1 or epoch != self._epoch:
            self._repair()
            return
        self._show(event)

    def head(self, epoch: int, head_seq: int) -> None:
        """Somebody says how far the stream has come."""
        if self._live and (head_seq > self._seen or (epoch and epoch != self._epoch)):
            self._repair()

    def chunk(self, chunk: ReplyChunk) -> None:
        """A preview; dropped first when the client is slow."""
        if not self._live or self._key is None:
            return
        session = self._key[1]
        if chunk.message_id not in self._begun:
            self._begun.add(chunk.message_id)
            begin = {"stream": session, "message_id": chunk.message_id, "origin": chunk.origin}
            self._push("message_begin", begin, preview=True)
            with span(names.FIRST_CHUNK, context=self._desk.ctx.tracing.follow(chunk.meta.traceparent)):
                self._push_chunk(session, chunk)
        else:
            self._push_chunk(session, chunk)

    def ping(self) -> None:
        """Tell the client where the stream stands, so that silent loss shows."""
        if self._key is not None and self._live:
            stream = {"id": self._key[1], "epoch": self._epoch, "recovered": True, "head_seq": self._seen}
            self._push("ping", {"streams": [stream]})

    def bye(self, code: int, reason: str, retry_after: float = 0) -> None:
        """Say that the connection ends and why."""
        self._push("bye", {"code": code, "reason": reason, "retry_after_ms": int(retry_after * 1000)})

    def refuse(self, code: str, message: str) -> None:
        """Say what was wrong with a frame."""
        self._refuse(code, message)

    def _push_chunk(self, session: str, chunk: ReplyChunk) -> None:
        value = {"stream": session, "message_id": chunk.message_id, "index": chunk.index, "delta": chunk.delta}
        if chunk.snapshot:
            value["snapshot"] = True
        self._push("message_chunk", value, preview=True)

    def _show(self, event: StreamEvent) -> None:
        assert self._key is not None
        self._seen = event.seq
        if event.HasField("message_end"):
            self._begun.discard(event.message_end.message_id)
        self._push_frame("event", event_frame(self._key[1], self._epoch, event))

    def _replay(self, history: HistoryResponse) -> None:
        for event in history.events:
            self._show(event)

    def _repair(self) -> None:
        if self._repairing is None or self._repairing.done():
            self._repairing = asyncio.create_task(self._read_missing())

    async def _read_missing(self) -> None:
        """Read what was missed; where that is too much or another epoch, the client must come back and reload."""
        try:
            while True:
                history = await self._history(self._seen)
                if history.epoch != self._epoch or history.head_seq - self._seen > len(history.events):
                    self._close(CLOSE_LOST, "position lost; come back and reload")
                    return
                self._replay(history)
                if history.head_seq <= self._seen:
                    return
        except ParleyError:
            self._close(CLOSE_LOST, "the store does not answer; come back")
        finally:
            self._repairing = None

    async def _history(self, after: int) -> HistoryResponse:
        assert self._key is not None
        request = HistoryRequest(tenant_id=self._key[0], session_id=self._key[1], after_seq=after, limit=REPLAY_AT_MOST)
        return await answer_of(self._desk.sessions.History(request, timeout=5))

    async def _identify(self, hello: Hello, origin: str) -> tuple[SessionKey, bool, Frame]:
        welcome: Frame = {"ping_s": self._desk.settings.ping_seconds}
        if hello.token:
            token = await self._desk.access.visitor(hello.token)
            return (token.tenant, token.session), False, welcome
        if not hello.site_key:
            raise Unauthorised("hello needs a token, or a site_key to begin with")
        issued = await self._desk.access.issue(hello.site_key, "", origin)
        expires = issued.expires_at.ToJsonString()
        return (issued.tenant_id, issued.session_id), True, {**welcome, "token": issued.token, "expires_at": expires}

    def _refuse(self, code: str, message: str, client_msg_id: str = "", *, retry_after: float = 0) -> None:
        counter(names.REFUSED, code).inc()
        frame = error_frame(code, message, retry_after_ms=int(retry_after * 1000), client_msg_id=client_msg_id)
        self._push_frame("error", frame)

    def _push(self, kind: str, value: Frame, *, preview: bool = False) -> None:
        self._push_frame(kind, {kind: value}, preview=preview)

    def _push_frame(self, kind: str, frame: Frame, *, preview: bool = False) -> None:
        try:
            self.outgoing.push(self._encode(frame), preview=preview)
        except Overflow:
            self._close(CLOSE_SLOW, "reading too slowly; come back and resume")
            return
        _out[kind].inc()
        self._wake()
