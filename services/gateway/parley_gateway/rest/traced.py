"""The outermost layer of HTTP: a trace for every call, given back in its headers, and the last catch."""

from typing import Any

from parley.telemetry import Log, Recording, Tracing, names, span
from parley_gateway.door import header
from parley_gateway.rest.body_limit import App, Receive, Scope, Send
from parley_gateway.rest.envelope import OUR_FAULT, refusal

log = Log("gateway.rest")

TRACED = "/v1/"  # probes and the page's files are not worth a trace


class Traced:
    """ASGI middleware around everything that answers HTTP."""

    def __init__(self, app: App, tracing: Tracing) -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Continue the caller's trace, or begin one."""
        if scope["type"] != "http" or not scope["path"].startswith(TRACED):
            await self._app(scope, receive, send)
            return
        headers = scope["headers"]
        context = self._tracing.begin(header(headers, b"traceparent"), header(headers, b"x-trace-id"))
        with span(f"{names.HTTP_REQUEST} {scope['method']}", kind="server", context=context) as recording:
            await self._guarded(scope, receive, _Answer(send, recording))
            route = getattr(scope.get("route"), "path", "")
            recording.set(names.HTTP_ROUTE, route or "unknown")

    async def _guarded(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self._app(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - the last door: nothing of ours may show a stack to the outside
            log.error("request.failed", exc=error, path=scope["path"][:200])
            if not answer.started:
                ours = refusal(500, OUR_FAULT)
                await ours(scope, receive, answer)  # type: ignore[arg-type]  # Starlette types messages as mutable


class _Answer:
    """Sends an answer with the names of its trace."""

    def __init__(self, send: Send, recording: Recording) -> None:
        self._send = send
        self._recording = recording
        self.started = False

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            context = self._recording.context
            self._recording.set(names.HTTP_STATUS, message["status"])
            traced = [(b"x-trace-id", context.trace_id.encode()), (b"traceparent", context.traceparent.encode())]
            message = {**message, "headers": [*message.get("headers", []), *traced]}
        await self._send(message)
