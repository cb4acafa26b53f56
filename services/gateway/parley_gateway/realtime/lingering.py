"""Sessions that are shown for a while longer, because their client has no connection and will ask again.

Without this every poll would make its session known to the router and unknown again. It is a saving, not a state: the
next request may come to any replica.
"""

import asyncio
from collections import OrderedDict

from parley.contracts.v1 import ReplyChunk, StreamDetached, StreamEvent
from parley_gateway.desk import Desk
from parley_gateway.realtime.streams import SessionKey

LINGER_SECONDS = 15.0
LINGERERS_KEPT = 20_000


class _Nobody:
    """A viewer that looks at nothing."""

    def stored(self, epoch: int, event: StreamEvent) -> None:
        """Nobody is here to be told."""

    def head(self, epoch: int, head_seq: int) -> None:
        """Nobody is here to be told."""

    def chunk(self, chunk: ReplyChunk) -> None:
        """The drafts of the stream keep it."""


class Lingering:
    """Which sessions are waited for."""

    def __init__(self, desk: Desk, seconds: float = LINGER_SECONDS) -> None:
        self._desk = desk
        self._seconds = seconds
        self._waiting: OrderedDict[SessionKey, tuple[_Nobody, asyncio.TimerHandle]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def wait_for(self, key: SessionKey) -> None:
        """Go on showing this session for a while. Call it before its last client leaves."""
        nobody, timer = self._waiting.pop(key, (None, None))
        if nobody is None:
            nobody = _Nobody()
            self._desk.streams.join(key, nobody)
        if timer is not None:
            timer.cancel()
        self._waiting[key] = nobody, asyncio.get_running_loop().call_later(self._seconds, self._give_up, key)
        if len(self._waiting) > LINGERERS_KEPT:
            self._give_up(next(iter(self._waiting)))

    def waits_for(self, key: SessionKey) -> bool:
        """Whether nobody in particular shows it."""
        return key in self._waiting

    def _give_up(self, key: SessionKey) -> None:
        nobody, timer = self._waiting.pop(key)
        timer.cancel()
        if self._desk.streams.leave(key, nobody):
            self._desk.inbox.tell(StreamDetached(gateway_id=self._desk.ctx.replica), *key)
