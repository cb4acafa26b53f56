"""A visitor's messages on their way in: checked, in the order written, each answered by an `ack` or an `error`."""

import asyncio
from functools import partial

from parley.contracts.v1 import Accepted, MediaRef, Send, Sender
from parley.core import ParleyError
from parley.telemetry import TraceContext, histogram, names, span
from parley_gateway.asking import Unauthorised
from parley_gateway.desk import Desk
from parley_gateway.inbox import Refused, Written
from parley_gateway.realtime.closing import error_code, retry_after
from parley_gateway.realtime.streams import SessionKey
from parley_gateway.realtime.view import View

WEB = "web"

_ack_seconds = histogram(names.ACK_SECONDS)


class Sending:
    """One connection's messages. Pictures must be looked up first; what was written after them waits behind them."""

    def __init__(self, desk: Desk, view: View, key: SessionKey, sender: Sender) -> None:
        self._desk = desk
        self._view = view
        self._key = key
        self._sender = sender
        self._last: asyncio.Task[None] | None = None

    def send(self, send: Send) -> None:
        """Take one message. Never raises: what is wrong is said to the client."""
        try:
            tenant, session = self._key
            now = self._desk.ctx.clock.monotonic()
            self._desk.rates.check(f"{tenant}:{session}", now, "that was too fast")
            self._desk.tenants.check(tenant, now, "this desk is very busy")
            self._desk.inbox.check(send.client_msg_id, send.text, len(send.media_ids))
            if send.stream not in ("", session):
                raise Unauthorised("this token is for another session")
            context = self._desk.ctx.tracing.begin()
            if self._last is None and not send.media_ids:
                self._write(send, (), context)
            else:
                self._queue(send, context)
        except ParleyError as error:
            self._refuse(send.client_msg_id, error)

    def leave(self) -> None:
        """The client is gone; what it has not been told is stored it will send again."""
        if self._last is not None:
            self._last.cancel()

    def _queue(self, send: Send, context: TraceContext) -> None:
        task = asyncio.create_task(self._write_after(self._last, send, context))
        self._last = task

        def finished(done: asyncio.Task[None]) -> None:
            if self._last is done:
                self._last = None

        task.add_done_callback(finished)

    async def _write_after(self, before: asyncio.Task[None] | None, send: Send, context: TraceContext) -> None:
        try:
            media = await pictures_of(self._desk, self._key, send)
            if before is not None:
                await asyncio.wait({before})
            self._write(send, media, context)
        except ParleyError as error:
            self._refuse(send.client_msg_id, error)
        except Exception as error:  # noqa: BLE001 - the client must hear of it, and the next message must go on
            self._desk.log.error("send.failed", exc=error)
            self._view.refuse("unavailable", "something went wrong here; send it again", send.client_msg_id)

    def _write(self, send: Send, media: tuple[MediaRef, ...], context: TraceContext) -> None:
        began = self._desk.ctx.clock.monotonic()
        written = Written(*self._key, WEB, send.client_msg_id, self._sender, send.text, media)
        stored = partial(self._acknowledge, began)
        self._desk.inbox.write(written, context, stored, partial(self._refuse, send.client_msg_id))

    def _acknowledge(self, began: float, context: TraceContext, accepted: Accepted) -> None:
        _ack_seconds.observe(self._desk.ctx.clock.monotonic() - began)
        with span(names.ACKNOWLEDGE_MESSAGE, context=context):
            self._view.acknowledge(accepted)

    def _refuse(self, client_msg_id: str, error: ParleyError) -> None:
        self._view.refuse(error_code(error), str(error), client_msg_id, retry_after=retry_after(error))


async def pictures_of(desk: Desk, key: SessionKey, send: Send) -> tuple[MediaRef, ...]:
    """The pictures that a message names. Raises Refused when one is not there, Unavailable."""
    found = []
    for media_id in send.media_ids:
        try:
            found.append(await desk.media.reference(*key, media_id))
        except ParleyError as error:
            if retry_after(error):
                raise
            raise Refused("no_picture", "the picture is not there; upload it again") from None
    return tuple(found)
