"""Previews of a reply: the first at once, then at most every 40 ms or 200 characters, never splitting a grapheme.

Previews are transient. The stored message is the truth and repairs whatever was lost on the way.
"""

import unicodedata
from collections.abc import Callable

from parley.bus.routes import to_gateway
from parley.contracts.v1 import EventMeta, ReplyChunk
from parley.core import Clock, ParleyError
from parley.service import Context
from parley.telemetry import current_traceparent
from parley_ai_engine.pipeline.turn import Turn

EVERY_SECONDS = 0.040
AT_MOST_CHARS = 200
_JOINERS = {"\u200d", "\ufe0f", "\ufe0e", "\u20e3"}

Emit = Callable[[int, str], None]


class ChunkWriter:
    """Collects text and emits it in pieces. `emit(index, delta)` must not block."""

    def __init__(self, emit: Emit, clock: Clock) -> None:
        self._emit = emit
        self._clock = clock
        self._held = ""
        self._index = 0
        self._last = float("-inf")
        self.text = ""

    def write(self, text: str) -> None:
        """More of the reply."""
        self.text += text
        self._held += text
        now = self._clock.monotonic()
        if len(self._held) >= AT_MOST_CHARS or now - self._last >= EVERY_SECONDS:
            self._flush(now, keep_open_grapheme=True)

    def finish(self) -> None:
        """The reply is complete."""
        self._flush(self._clock.monotonic(), keep_open_grapheme=False)

    def _flush(self, now: float, *, keep_open_grapheme: bool) -> None:
        ready = len(self._held) - (open_grapheme(self._held) if keep_open_grapheme and self._index else 0)
        while ready > 0:
            cut = _boundary(self._held, min(ready, AT_MOST_CHARS))
            piece, self._held = self._held[:cut], self._held[cut:]
            ready -= cut
            self._emit(self._index, piece)
            self._index += 1
            self._last = now


def open_grapheme(text: str) -> int:
    """How many characters at the end may still be joined by what comes next: a joiner with what stands before it."""
    if not text:
        return 0
    if text[-1] in _JOINERS or _regional(text[-1]):
        return min(len(text), 2)
    return 0


def _boundary(text: str, at: int) -> int:
    """The last place at or before `at` that is not inside a grapheme; `at` itself where there is none."""
    cut = at
    while 0 < cut < len(text) and _joined(text[cut - 1], text[cut]):
        cut -= 1
    return cut or at


def _joined(left: str, right: str) -> bool:
    combining = bool(unicodedata.combining(right)) or unicodedata.category(right) in {"Mn", "Me", "Mc"}
    modifier = "\U0001f3fb" <= right <= "\U0001f3ff"
    return combining or modifier or right in _JOINERS or left == "\u200d" or (_regional(left) and _regional(right))


def _regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


class Audience:
    """The gateways that show a turn's session; some may join while it is being answered."""

    def __init__(self, ctx: Context[object], turn: Turn, origin: str) -> None:
        self._ctx = ctx
        self._turn = turn
        self._origin = origin
        self._gateways = list(turn.gateways)
        self._text = ""
        self._index = -1

    def emit(self, index: int, delta: str) -> None:
        """Send one preview to everybody."""
        self._text += delta
        self._index = index
        for gateway in self._gateways:
            self._send(gateway, index, delta, snapshot=False)

    def join(self, gateway: str) -> None:
        """A gateway began to show the session: one snapshot of the text so far, then everything else."""
        if gateway not in self._gateways:
            self._gateways.append(gateway)
        if self._text:
            self._send(gateway, self._index, self._text, snapshot=True)

    def _send(self, gateway: str, index: int, delta: str, *, snapshot: bool) -> None:
        turn = self._turn
        meta = EventMeta(tenant_id=turn.tenant, session_id=turn.session, traceparent=current_traceparent())
        chunk = ReplyChunk(
            meta=meta,
            turn_id=turn.turn_id,
            message_id=turn.message_id,
            index=index,
            delta=delta,
            snapshot=snapshot,
            origin=self._origin,
        )
        try:
            sent = self._ctx.bus.publish_nowait(to_gateway(gateway, durable=False), chunk)
        except ParleyError:
            return  # a preview that finds no room is not worth waiting for
        sent.add_done_callback(lambda done: done.cancelled() or done.exception())
