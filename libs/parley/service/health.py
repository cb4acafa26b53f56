"""Whether a process lives and is ready, with the reason when it is not, and its metrics."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parley.core import SettingsError
from parley.service.context import Context
from parley.telemetry import exposition

CHECK_SECONDS = 2.0


class Health:
    """The state of the services of one process."""

    def __init__(self) -> None:
        self._contexts: list[Context[Any]] = []
        self.started = False

    def add(self, ctx: Context[Any]) -> None:
        """A service of this process."""
        self._contexts.append(ctx)

    def remove(self, ctx: Context[Any]) -> None:
        """It has closed."""
        self._contexts.remove(ctx)

    async def reasons(self) -> dict[str, str]:
        """Why this process is not ready, by part; empty when it is."""
        found = {} if self.started else {"process": "starting"}
        for ctx in self._contexts:
            if ctx.draining.is_set():
                found[ctx.service] = "draining"
            if not ctx.bus.connected:
                found[f"{ctx.service}/bus"] = "not connected to the broker"
            for name, check in ctx.checks.items():
                if reason := await _checked(check):
                    found[f"{ctx.service}/{name}"] = reason
        return found

    def routes(self) -> list[Route]:
        """`/livez`, `/readyz`, `/metrics`, for the health port and for the gateway's own."""
        return [Route("/livez", self._livez), Route("/readyz", self._readyz), Route("/metrics", self._metrics)]

    async def _livez(self, _: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def _readyz(self, _: Request) -> Response:
        reasons = await self.reasons()
        status = "not ready" if reasons else "ready"
        return JSONResponse({"status": status, "reasons": reasons}, 503 if reasons else 200)

    async def _metrics(self, _: Request) -> Response:
        return Response(exposition(), media_type="text/plain; version=0.0.4")


async def _checked(check: Any) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return str(await check())
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - a check that fails is a reason, whatever it raised
        return f"{type(error).__name__}: {error}"


class _QuietServer(uvicorn.Server):
    """uvicorn without its own signal handling: the runner owns signals."""

    def capture_signals(self) -> Any:
        """Leave the process's signals alone."""
        return nullcontext()


@asynccontextmanager
async def serve_health(health: Health, port: int) -> AsyncIterator[None]:
    """Serve health on a port of its own; 0 serves nothing. Raises SettingsError when the port is taken."""
    if not port:
        yield
        return
    app = Starlette(routes=health.routes())
    async with serve_http(app, host="0.0.0.0", port=port, variable="PARLEY_HEALTH_PORT"):  # noqa: S104 - probes
        yield


@asynccontextmanager
async def serve_http(app: Any, *, host: str, port: int, variable: str, **options: Any) -> AsyncIterator[uvicorn.Server]:
    """Serve an ASGI app until the context is left. Raises SettingsError naming `variable` when the port is taken."""
    config = uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False, lifespan="off", **options)
    server = _QuietServer(config)
    try:
        sock = config.bind_socket()
    except SystemExit:
        raise SettingsError(f"{variable} is {port}, which is taken; choose another port, such as {port + 1}") from None
    task = asyncio.create_task(server.serve([sock]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        yield server
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=5)
        sock.close()
