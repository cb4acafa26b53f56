"""Which connections show which session, and what they have to be told, in order and without gaps."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from parley.contracts.v1 import Accepted, CommandResult, Deliver, ReplyChunk, StreamEvent
from parley.telemetry import Tracing, names, span
from parley_gateway.realtime.drafts import Drafts

SessionKey = tuple[str, str]  # tenant, session
STALE_SECONDS = 60.0  # after which nobody waits any more; a client has sent again long before


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


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """Somebody waits to hear that a message is stored."""

    done: Callable[[Accepted], None]
    since: float = 0.0  # monotonic seconds


@dataclass(slots=True)
class _Stream:
    viewers: list[Viewer] = field(default_factory=list)
    drafts: Drafts = field(default_factory=Drafts)
    attached: bool = False  # whether the router has been told that it is shown here


class Streams:
    """All sessions that this gateway shows."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing
        self._streams: dict[SessionKey, _Stream] = {}
        self._waiting: dict[tuple[str, str, str], list[Waiting]] = {}
        self._commands: dict[str, list[asyncio.Future[CommandResult]]] = {}

    def __len__(self) -> int:
        return len(self._streams)

    # ---- who shows what ---------------------------------------------------------------------------------

    def join(self, key: SessionKey, viewer: Viewer) -> None:
        """Begin to show a session."""
        self._streams.setdefault(key, _Stream()).viewers.append(viewer)

    def leave(self, key: SessionKey, viewer: Viewer) -> bool:
        """Stop showing it; True when nobody here shows it any more, so that the router must be told."""
        stream = self._streams.get(key)
        if stream is None or viewer not in stream.viewers:
            return False
        stream.viewers.remove(viewer)
        if stream.viewers:
            return False
        del self._streams[key]
        return True

    def viewers(self, key: SessionKey) -> int:
        """How many connections show it."""
        stream = self._streams.get(key)
        return len(stream.viewers) if stream else 0

    def unattached(self) -> list[SessionKey]:
        """Sessions that are shown here without the router's knowledge."""
        return [key for key, stream in self._streams.items() if not stream.attached]

    def needs_attaching(self, key: SessionKey) -> bool:
        """Whether the router must be told of this one."""
        stream = self._streams.get(key)
        return stream is not None and not stream.attached

    def attached(self, key: SessionKey) -> None:
        """The router is being told."""
        if stream := self._streams.get(key):
            stream.attached = True

    def detach_all(self) -> None:
        """Our queue was gone for a moment: the router has forgotten us wherever it had something to say."""
        for stream in self._streams.values():
            stream.attached = False

    # ---- who waits for what -----------------------------------------------------------------------------

    def expect(self, tenant: str, session: str, external_id: str, waiting: Waiting) -> None:
        """Call `waiting.done` when this message is stored."""
        self._waiting.setdefault((tenant, session, external_id), []).append(waiting)

    def forget(self, tenant: str, session: str, external_id: str, waiting: Waiting) -> None:
        """This one does not wait any more."""
        key = (tenant, session, external_id)
        left = [other for other in self._waiting.get(key, ()) if other is not waiting]
        if left:
            self._waiting[key] = left
        else:
            self._waiting.pop(key, None)

    def forget_stale(self, now: float) -> None:
        """Forget who has waited for too long: an answer that was lost must not be waited for for ever."""
        for key, found in list(self._waiting.items()):
            for waiting in found:
                if now - waiting.since > STALE_SECONDS:
                    self.forget(*key, waiting)

    def command(self, request_id: str) -> asyncio.Future[CommandResult]:
        """The answer to a request that is about to be published; the same request asked twice is answered twice."""
        future: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        self._commands.setdefault(request_id, []).append(future)
        future.add_done_callback(lambda _: self._answered(request_id, future))
        return future

    def _answered(self, request_id: str, future: asyncio.Future[CommandResult]) -> None:
        left = [other for other in self._commands.get(request_id, ()) if other is not future]
        if left:
            self._commands[request_id] = left
        else:
            self._commands.pop(request_id, None)

    # ---- what is told -----------------------------------------------------------------------------------

    def deliver(self, event: Deliver) -> None:
        """What the router has committed for one session."""
        with span(names.DELIVER, context=self._tracing.follow(event.meta.traceparent)):
            tenant, session = event.meta.tenant_id, event.meta.session_id
            for accepted in event.accepted:
                self._accepted(tenant, session, accepted)
            for result in event.results:
                for answer in self._commands.get(result.request_id, ()):
                    if not answer.done():
                        answer.set_result(result)
            stream = self._streams.get((tenant, session))
            if stream is not None:
                stream.attached = True
                self._show(stream, event)

    def chunk(self, chunk: ReplyChunk) -> None:
        """A preview from an engine."""
        stream = self._streams.get((chunk.meta.tenant_id, chunk.meta.session_id))
        shown = stream.drafts.extend(chunk) if stream else None
        if stream is None or shown is None:
            return
        for viewer in stream.viewers:
            viewer.chunk(shown)

    def drafts(self, key: SessionKey) -> list[ReplyChunk]:
        """The replies that are being written in this session, each as one snapshot."""
        stream = self._streams.get(key)
        return stream.drafts.open() if stream else []

    def ended(self, key: SessionKey, message_id: str) -> None:
        """The reply is stored, wherever that was heard: whatever of its preview still comes is dropped."""
        if stream := self._streams.get(key):
            stream.drafts.close(message_id)

    def _accepted(self, tenant: str, session: str, accepted: Accepted) -> None:
        """All who sent this message hear of it; for every one but the first it was there already."""
        for waiting in self._waiting.pop((tenant, session, accepted.external_message_id), []):
            waiting.done(accepted)
            if not accepted.duplicate:
                again = Accepted()
                again.CopyFrom(accepted)
                again.duplicate = True
                accepted = again

    def _show(self, stream: _Stream, event: Deliver) -> None:
        for stored in event.events:
            if stored.HasField("message_end"):
                stream.drafts.close(stored.message_end.message_id)
                with span(names.LAST_CHUNK):
                    _tell(stream, event.epoch, stored)
            else:
                _tell(stream, event.epoch, stored)
        if event.head_seq and not event.events:
            for viewer in list(stream.viewers):
                viewer.head(event.epoch, event.head_seq)


def _tell(stream: _Stream, epoch: int, stored: StreamEvent) -> None:
    for viewer in list(stream.viewers):
        viewer.stored(epoch, stored)
