"""Our server: uvicorn's, plus a way to drop a client that does not read, and one whose request drips in.

A polite close waits until the peer has read everything, which a stalled peer never does.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from parley_gateway.realtime.websocket import ABORT

HEAD_SECONDS = 10.0  # that a request's head may take, from its connection or from the last answer
HEADERS, LINE_BYTES = 100, 8_000


class Http(H11Protocol):
    """One HTTP connection of uvicorn. A head that does not come whole in time ends it."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Somebody connects; whoever says nothing must not stay."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Give the application the means to drop a reader; a request's task has not begun to run yet."""
        super().data_received(data)
        if self.scope is not None and self.scope["type"] == "http":
            self.scope.setdefault("extensions", {})[ABORT] = self.transport.abort  # type: ignore[assignment]

    def handle_websocket_upgrade(self, event: Any) -> None:
        """The head was whole; from here on the WebSocket's own limits hold.

        The WebSocket library takes no longer lines and no more headers than this, and would leave them unanswered.
        """
        if self._patience is not None:
            self._patience.cancel()
        if len(self.headers) > HEADERS or any(len(name) + len(value) > LINE_BYTES for name, value in self.headers):
            self.send_400_response("a header is too long, or there are too many")
            return
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """The next request of a connection that is kept alive."""
        super().on_response_complete()
        self._expect_head()

    def _expect_head(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.loop.call_later(HEAD_SECONDS, self._too_late, self.cycle)

    def _too_late(self, last: RequestResponseCycle | None) -> None:
        if self.cycle is last and not self.transport.is_closing():
            self.transport.abort()


class Protocol(WebSocketsSansIOProtocol):
    """One WebSocket of uvicorn."""

    def handle_connect(self, event: Request) -> None:
        """Give the application the means; it has not begun to run yet."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["extensions"][ABORT] = self.transport.abort  # type: ignore[assignment]  # our own extension
