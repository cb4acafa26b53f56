"""How the commands reach a running desk: gRPC to a service, HTTP to the gateway, the bus itself."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
import grpc.aio

from parley.bus import Bus
from parley.bus.open import open_bus
from parley.core import ParleyError, Settings, Unavailable
from parley.core.settings import PlaceSettings
from parley.service.grpc import connect

T = TypeVar("T")
CALL_SECONDS = 10.0


class GatewayAddress(Settings):
    """Where the gateway's public port is."""

    gateway_url: str = ""
    gateway_port: int = 8080
    operator_key: str = ""

    def base(self) -> str:
        """Without a slash at the end."""
        return self.gateway_url.rstrip("/") or f"http://127.0.0.1:{self.gateway_port}"


def ask(service: str, question: Callable[[grpc.aio.Channel], Awaitable[T]]) -> T:
    """Ask a running service over gRPC. Raises ParleyError in plain words."""

    async def asking() -> T:
        async with connect(PlaceSettings.load().grpc_target(service)) as channel:
            return await question(channel)

    try:
        return asyncio.run(asking())
    except grpc.aio.AioRpcError as error:
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            where = PlaceSettings.load().grpc_target(service)
            raise Unavailable(f"no {service} answers at {where}; start one with `make run` or `parley run`") from None
        raise ParleyError(error.details() or error.code().name) from None


def call(method: str, path: str, body: dict[str, Any] | None = None, *, timeout: float = CALL_SECONDS) -> Any:
    """One REST call with the operator's key; the envelope's data. Raises ParleyError with the gateway's own words."""
    address = GatewayAddress.load()
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked by the settings
        address.base() + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {operator_key(address)}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310 - as above
            return json.load(response)["data"]
    except urllib.error.HTTPError as error:
        raise ParleyError(_words(error)) from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise Unavailable(f"no gateway answers at {address.base()} ({reason}); start one with `make run`") from None


def operator_key(address: GatewayAddress) -> str:
    """`PARLEY_OPERATOR_KEY`, else the key that the first start left under `PARLEY_HOME`."""
    if address.operator_key:
        return address.operator_key
    file = PlaceSettings.load().home / "operator.key"
    if not file.exists():
        raise ParleyError(f"there is no {file}; set PARLEY_HOME, or PARLEY_OPERATOR_KEY to a key with scope operate")
    return file.read_text().strip()


def with_bus(work: Callable[[Bus], Coroutine[Any, Any, T]]) -> T:
    """Work on the broker itself. Raises ParleyError for the bus in memory, which lives inside one process."""
    settings = PlaceSettings.load()
    if settings.bus_url.startswith("memory:"):
        raise ParleyError("the bus in memory lives inside `parley run`; set PARLEY_BUS_URL to the broker's amqp:// URL")

    async def working() -> T:
        async with _bus(settings) as bus:
            return await work(bus)

    return asyncio.run(working())


@asynccontextmanager
async def _bus(settings: PlaceSettings) -> AsyncIterator[Bus]:
    async with open_bus(settings.bus_url, service="cli", replica="cli") as bus:
        yield bus


def _words(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (ValueError, KeyError):
        return f"the gateway answered {error.code}"
