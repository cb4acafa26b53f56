"""Our WebSocket server: uvicorn's, plus a way to drop a client that does not read.

A polite close waits until the peer has read everything, which a stalled peer never does.
"""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from parley_gateway.realtime.websocket import ABORT


class Protocol(WebSocketsSansIOProtocol):
    """One WebSocket of uvicorn."""

    def handle_connect(self, event: Request) -> None:
        """Give the application the means; it has not begun to run yet."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["extensions"][ABORT] = self.transport.abort  # type: ignore[assignment]  # our own extension
