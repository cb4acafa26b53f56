"""Which connections show which session, and what they have to be told, in order and without gaps."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from parley.contracts.v1 import Accepted, CommandResult, Deliver, ReplyChunk, StreamEvent
from parley.telemetry import Tracing, names, span

DRAFT_CHARS = 100_000  # of a running reply that are kept for those who join in its middle

SessionKey = tuple[str, str]  # tenant, session


class Viewer(Protocol):
    """A connection that shows a session. Every method returns at once."""

    def stored(self, epoch: int, event: StreamEvent) -> None:
        """A durable event; may be a repeat or leave a gap."""
        ...

    def head(self, epoch: int, head_seq: int) -> None:
        """The newest position there is."""
        ...

    def chunk(self, chunk: ReplyChunk) -> None:
        """A preview of a reply."""
        ...


@dataclass(slots=True)
class Waiting:
    """Somebody waits to hear that a message is stored."""

    done: Callable[[Accepted], None]


@dataclass(slots=True)
class _Stream:
    viewers: list[Viewer] = field(default_factory=list)
    drafts: dict[str, ReplyChunk] = field(default_factory=dict)  # message_id -> text so far, as a snapshot


class Streams:
    """All sessions that this gateway shows."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._streams: dict[SessionKey, _Stream] = {}
        self._waiting: dict[tuple[str, str, str], list[Waiting]] = {}
        self._commands: dict[str, asyncio.Future[CommandResult]] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def join(self, key: SessionKey, viewer: Viewer) -> bool:
        """Begin to show a session; True when it is the first viewer here, so that the router must be told."""
        stream = self._streams.setdefault(key, _Stream())
        stream.viewers.append(viewer)
        return len(stream.viewers) == 1

    def leave(self, key: SessionKey, viewer: Viewer) -> bool:
        """Stop showing it; True when nobody here shows it any more."""
        stream = self._streams.get(key)
        if stream is None or viewer not in stream.viewers:
            return False
        stream.viewers.remove(viewer)
        if stream.viewers:
            return False
        del self._streams[key]
        return True

    def drafts(self, key: SessionKey) -> list[ReplyChunk]:
        """The replies that are being written in this session, as far as they are known here."""
        stream = self._streams.get(key)
        return [draft for draft in stream.drafts.values() if draft is not _CLOSED] if stream else []

    def expect(self, tenant: str, session: str, external_id: str, waiting: Waiting) -> bool:
        """Call `waiting.done` when this message is stored; False when somebody waits for it already."""
        found = self._waiting.setdefault((tenant, session, external_id), [])
        found.append(waiting)
        return len(found) == 1

    def forget(self, tenant: str, session: str, external_id: str) -> list[Waiting]:
        """Nobody waits for this message any more."""
        return self._waiting.pop((tenant, session, external_id), [])

    def command(self, request_id: str) -> asyncio.Future[CommandResult]:
        """The answer to a request that is about to be published."""
        future: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        self._commands[request_id] = future
        future.add_done_callback(lambda _: self._commands.pop(request_id, None))
        return future

    def deliver(self, event: Deliver) -> None:
        """What the router has committed for one session."""
        with span(names.DELIVER, context=self._tracing.follow(event.meta.traceparent)):
            self._deliver(event)

    def _deliver(self, event: Deliver) -> None:
        tenant, session = event.meta.tenant_id, event.meta.session_id
        for accepted in event.accepted:
            for waiting in self.forget(tenant, session, accepted.external_message_id):
                waiting.done(accepted)
        for result in event.results:
            answer = self._commands.get(result.request_id)
            if answer is not None and not answer.done():
                answer.set_result(result)
        stream = self._streams.get((tenant, session))
        if stream is not None:
            self._show(stream, event)

    def chunk(self, chunk: ReplyChunk) -> None:
        """A preview from an engine. What belongs to a reply that is stored already is dropped with its draft."""
        stream = self._streams.get((chunk.meta.tenant_id, chunk.meta.session_id))
        if stream is None or not _extend(stream.drafts, chunk):
            return
        for viewer in stream.viewers:
            viewer.chunk(chunk)

    def _show(self, stream: _Stream, event: Deliver) -> None:
        for stored in event.events:
            if stored.HasField("message_end"):
                _close_draft(stream.drafts, stored.message_end.message_id)
                with span(names.LAST_CHUNK):
                    _tell(stream, event.epoch, stored)
            else:
                _tell(stream, event.epoch, stored)
        if not event.events and event.head_seq:
            for viewer in list(stream.viewers):
                viewer.head(event.epoch, event.head_seq)


def _tell(stream: _Stream, epoch: int, stored: StreamEvent) -> None:
    for viewer in list(stream.viewers):
        viewer.stored(epoch, stored)


_CLOSED = ReplyChunk(index=2**32 - 1)  # stands for a reply whose end has been seen
_CLOSED_KEPT = 8


def _close_draft(drafts: dict[str, ReplyChunk], message_id: str) -> None:
    drafts[message_id] = _CLOSED
    finished = [known for known, draft in drafts.items() if draft is _CLOSED]
    for known in finished[:-_CLOSED_KEPT]:
        del drafts[known]


def _extend(drafts: dict[str, ReplyChunk], chunk: ReplyChunk) -> bool:
    """Keep the text so far. False for a chunk that is late, repeated, of a stored reply, or that leaves a gap.

    A gap needs no repair: the stored message tells the whole text in a moment.
    """
    known = drafts.get(chunk.message_id)
    if known is _CLOSED or (not chunk.snapshot and chunk.index != (known.index + 1 if known else 0)):
        return False
    text = chunk.delta if chunk.snapshot or known is None else known.delta + chunk.delta
    drafts[chunk.message_id] = ReplyChunk(
        turn_id=chunk.turn_id,
        message_id=chunk.message_id,
        index=chunk.index,
        delta=text[:DRAFT_CHARS],
        snapshot=True,
        origin=chunk.origin,
    )
    return True
