"""What a client without a connection says: one frame a request."""

import asyncio

from parley.contracts.v1 import Accepted, ClientFrame, Send
from parley.core import Invalid, Unavailable
from parley.telemetry import current_trace
from parley_gateway.asking import Unauthorised
from parley_gateway.desk import Desk
from parley_gateway.inbox import Written
from parley_gateway.realtime.connection import sender_of, signal
from parley_gateway.realtime.frames import Frame
from parley_gateway.realtime.sending import WEB, pictures_of
from parley_gateway.realtime.streams import SessionKey

COMMIT_SECONDS = 10.0  # that a request waits for its message to be stored


class Posting:
    """Takes frames in the name of a visitor."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def post(self, key: SessionKey, frame: ClientFrame, *, name: str, locale: str) -> Frame | None:
        """The `ack` of a message, or None for a passing signal. Raises Refused, RateLimited, Unavailable, Invalid."""
        kind = frame.WhichOneof("frame")
        if kind == "send":
            return ack_value(await self._stored(key, frame.send, name, locale))
        if kind not in ("typing", "stop", "read"):
            raise Invalid("a request holds one of send, typing, read and stop")
        signal(self._desk, key, frame)
        return None

    async def _stored(self, key: SessionKey, send: Send, name: str, locale: str) -> Accepted:
        desk, now = self._desk, self._desk.ctx.clock.monotonic()
        desk.rates.check(f"{key[0]}:{key[1]}", now, "that was too fast")
        desk.tenants.check(key[0], now, "this desk is very busy")
        desk.inbox.check(send.client_msg_id, send.text, len(send.media_ids))
        if send.stream not in ("", key[1]):
            raise Unauthorised("this token is for another session")
        media = await pictures_of(desk, key, send)
        written = Written(*key, WEB, send.client_msg_id, sender_of(key, name, locale), send.text, media)
        context = current_trace() or desk.ctx.tracing.begin()
        accepted = await asyncio.shield(desk.inbox.write_and_wait(written, context, COMMIT_SECONDS))
        if accepted is None:
            raise Unavailable("the message is on its way but not stored yet; send it again with the same id")
        return accepted


def ack_value(accepted: Accepted) -> Frame:
    """The inside of an `ack` frame."""
    return {
        "client_msg_id": accepted.external_message_id,
        "message_id": accepted.message_id,
        "seq": accepted.seq,
        "duplicate": accepted.duplicate,
        "trace_id": accepted.trace_id,
    }
