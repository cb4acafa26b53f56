"""No request body larger or slower than it may be: refused by what it says, and cut off by what it does.

A client that is answered while it still sends would see a broken connection instead of the answer, so what it sends is
read on and thrown away for a while first.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from parley_gateway.rest.envelope import refusal

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

FORM_BYTES = 16_384  # what a form may weigh besides its file
JSON_BYTES = 512 * 1024
BODY_SECONDS = 30.0
DISCARDED_BYTES = 16 * 1024 * 1024
DISCARDING_SECONDS = 5.0
UPLOADS = "/v1/media"


class _Refused(Exception):
    """The body will not be read to its end."""


class BodyLimit:
    """ASGI middleware around the REST app."""

    def __init__(self, app: App, *, upload_bytes: int, body_seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._upload = upload_bytes + FORM_BYTES
        self._seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what comes in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._upload if scope["path"] == UPLOADS else JSON_BYTES
        body = _Body(scope, receive, limit, self._seconds)
        answer = _Answer(send, body)
        if _declared(scope) > limit:
            body.refusal = _too_large(limit)
        else:
            with contextlib.suppress(_Refused):
                await self._app(scope, body.receive, answer.send)
        if body.refusal is not None and not answer.started:
            await body.discard()
            await body.refusal(scope, receive, send)


class _Body:
    """A body on its way in."""

    def __init__(self, scope: Scope, receive: Receive, limit: int, seconds: float) -> None:
        self._scope = scope
        self._receive = receive
        self._seconds = seconds
        self._limit = limit
        self._left = limit
        self._until = asyncio.get_running_loop().time() + seconds
        self._complete = False
        self.refusal: Any = None

    async def receive(self) -> dict[str, Any]:
        """The next part. Raises _Refused once there is too much of it, or it takes too long."""
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            self._complete = True  # as far as anybody will wait for it
            self.refusal = refusal(408, "the body did not come in time; send it again", {"connection": "close"})
            raise _Refused from None
        self._left -= len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._left < 0:
            self.refusal = _too_large(self._limit)
            raise _Refused
        return message

    async def discard(self) -> None:
        """Read what is still being sent and forget it; give up when that is too much or takes too long."""
        left = DISCARDED_BYTES
        if _declared(self._scope) > left or (_waits(self._scope) and self._left == self._limit):
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(DISCARDING_SECONDS, self._seconds)):
                while not self._complete and left > 0:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    self._complete = not message.get("more_body", False)


class _Answer:
    """Passes the app's answer on, unless it is only the app's idea of a body that we have cut off."""

    def __init__(self, send: Send, body: _Body) -> None:
        self._send = send
        self._body = body
        self.started = False

    async def send(self, message: dict[str, Any]) -> None:
        """Send a part of it."""
        if self._body.refusal is not None and not self.started:
            return
        if not self.started:
            self.started = True
            await self._body.discard()
        await self._send(message)


def _declared(scope: Scope) -> int:
    value = next((value for key, value in scope["headers"] if key == b"content-length"), b"0")
    return int(value) if value.isdigit() else 0


def _waits(scope: Scope) -> bool:
    """Whether the client asks before it sends its body, so that it sends nothing once it is refused."""
    return any(key == b"expect" for key, _ in scope["headers"])


def _too_large(limit: int) -> Any:
    return refusal(413, f"the body is larger than {limit} bytes", {"connection": "close"})
