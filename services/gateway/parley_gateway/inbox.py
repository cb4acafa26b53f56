"""From whoever writes to the router: one way in for every transport, and one place that waits for the commit."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from parley.bus import Event
from parley.contracts.v1 import Accepted, CommandResult, MediaRef, MessageReceived, Sender
from parley.core import Invalid, ParleyError, Unavailable
from parley.service import Context
from parley.telemetry import TraceContext, counter, current_trace, names, span
from parley_gateway.realtime.streams import Streams, Waiting

MAX_ID_CHARS = 128
MAX_PICTURES = 10
COMMAND_SECONDS = 5.0

Stored = Callable[[TraceContext, Accepted], None]  # called inside the trace that the message began


class Refused(Invalid):
    """A message that can never be taken; `code` lets a page say why in its own words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Written:
    """A message as it came in, before it is anybody's."""

    tenant: str
    session: str
    channel: str
    external_id: str
    sender: Sender
    text: str
    media: tuple[MediaRef, ...] = ()
    ownership: int = 0
    sent_at: Timestamp | None = None  # by the channel's clock; now when it says nothing


class Inbox:
    """Publishes what was written and tells the writer when it is stored."""

    def __init__(self, ctx: Context[Any], streams: Streams, *, text_chars: int) -> None:
        self._ctx = ctx
        self._streams = streams
        self._text_chars = text_chars

    def check(self, external_id: str, text: str, pictures: int) -> None:
        """Refuse what can never be a message. Raises Refused, saying what to do."""
        if not external_id.strip() or len(external_id) > MAX_ID_CHARS or not external_id.isprintable():
            wanted = f"1 to {MAX_ID_CHARS} printable characters"
            raise Refused("bad_id", f"a message needs its own id, {wanted}, the same when it is sent again")
        if not text.strip() and not pictures:
            raise Refused("empty", "a message needs a text or a picture")
        if len(text) > self._text_chars:
            raise Refused("too_long", f"the text has {len(text)} characters; {self._text_chars} are allowed")
        if "\x00" in text:
            raise Refused("bad_text", "the text holds a NUL character; remove it")
        if pictures > MAX_PICTURES:
            raise Refused("too_many_pictures", f"the message has {pictures} pictures; {MAX_PICTURES} are allowed")

    def write(
        self,
        written: Written,
        context: TraceContext,
        stored: Stored,
        failed: Callable[[ParleyError], None],
    ) -> tuple[asyncio.Future[None], Waiting]:
        """Publish without waiting; the future ends when the broker has it. `failed` says that it has not been taken.

        The same message written twice at once is published twice and stored once: both hear of it.
        """
        event = MessageReceived(
            channel=written.channel,
            external_message_id=written.external_id,
            sender=written.sender,
            text=written.text,
            media=written.media,
            gateway_id=self._ctx.replica,
            ownership=written.ownership,
        )
        if written.sent_at is not None:
            event.sent_at.CopyFrom(written.sent_at)
        else:
            event.sent_at.seconds, event.sent_at.nanos = divmod(time.time_ns(), 1_000_000_000)
        published, inside = self._publish(event, written.tenant, written.session, context)
        waiting = Waiting(partial(stored, inside), self._ctx.clock.monotonic())
        self._streams.expect(written.tenant, written.session, written.external_id, waiting)
        published.add_done_callback(lambda done: self._published(done, written, waiting, failed))
        return published, waiting

    async def write_and_wait(self, written: Written, context: TraceContext, seconds: float) -> Accepted | None:
        """The stored message's place, or None when the broker has it but the commit takes longer than `seconds`.

        Raises Unavailable when not even the broker has it.
        """
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        published, waiting = self.write(
            written,
            context,
            lambda _, accepted: None if answer.done() else answer.set_result(accepted),
            lambda error: None if answer.done() else answer.set_exception(error),
        )
        done, _ = await asyncio.wait({answer}, timeout=seconds)
        if done:
            return answer.result()
        self._streams.forget(written.tenant, written.session, written.external_id, waiting)
        if published.done() and not published.cancelled() and not published.exception():
            return None
        raise _not_taken()

    async def command(self, event: Event, request_id: str, tenant: str, session: str) -> CommandResult:
        """Ask the session's owner to do something, and wait for what came of it. Raises Unavailable."""
        result = self._streams.command(request_id)
        try:
            published, _ = self._publish(event, tenant, session, current_trace() or self._ctx.tracing.begin())
            published.add_done_callback(_ignore)
            async with asyncio.timeout(COMMAND_SECONDS):
                return await result
        except TimeoutError:
            raise Unavailable("the session's owner does not answer; try again", retry_after=2) from None
        finally:
            result.cancel()

    def tell(self, event: Event, tenant: str, session: str) -> bool:
        """Publish what nobody waits for: losing it costs comfort, not messages. False when it was not taken."""
        try:
            published, _ = self._publish(event, tenant, session, self._ctx.tracing.follow(""))
            published.add_done_callback(_ignore)
            return True
        except ParleyError:
            counter(names.REFUSED, "bus_full").inc()
            return False

    def _publish(
        self, event: Any, tenant: str, session: str, context: TraceContext
    ) -> tuple[asyncio.Future[None], TraceContext]:
        """The confirm, and the context of what follows from this message."""
        event.meta.tenant_id, event.meta.session_id = tenant, session
        with span(names.RECEIVE_MESSAGE, kind="server", context=context) as recording:
            recording.set(names.SESSION, session)
            recording.set(names.TENANT, tenant)
            event.meta.traceparent = recording.context.traceparent
            return self._ctx.publish_nowait(event), recording.context

    def _published(
        self,
        done: asyncio.Future[None],
        written: Written,
        waiting: Waiting,
        failed: Callable[[ParleyError], None],
    ) -> None:
        if not done.cancelled() and done.exception() is None:
            return
        self._streams.forget(written.tenant, written.session, written.external_id, waiting)
        failed(_not_taken())


def _not_taken() -> Unavailable:
    return Unavailable("the message could not be taken; send it again with the same id", retry_after=2)


def _ignore(done: asyncio.Future[None]) -> None:
    """Read the outcome, so that the loop does not complain of one nobody asked for."""
    if not done.cancelled():
        done.exception()
