"""No request body larger than it may be: refused by what it says, and cut off by what it does."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

FORM_BYTES = 16_384  # what a form may weigh besides its file
JSON_BYTES = 512 * 1024


class _TooLarge(Exception):
    pass


class BodyLimit:
    """ASGI middleware around the REST app."""

    def __init__(self, app: App, *, upload_bytes: int) -> None:
        self._app = app
        self._upload = upload_bytes + FORM_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what comes in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._upload if scope["path"] == "/v1/media" else JSON_BYTES
        if _declared(scope) > limit:
            await _refuse(send, limit)
            return
        started = False

        async def sending(message: dict[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, _counted(receive, limit), sending)
        except _TooLarge:
            if not started:
                await _refuse(send, limit)


def _counted(receive: Receive, limit: int) -> Receive:
    total = 0

    async def counting() -> dict[str, Any]:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > limit:
            raise _TooLarge
        return message

    return counting


def _declared(scope: Scope) -> int:
    value = next((value for key, value in scope["headers"] if key == b"content-length"), b"0")
    return int(value) if value.isdigit() else 0


async def _refuse(send: Send, limit: int) -> None:
    body = {"code": 413, "data": None, "message": f"the body is larger than {limit} bytes", "trace_id": ""}
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(body)})
