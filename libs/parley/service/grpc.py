"""gRPC between services: one server a service, one channel a target; deadlines and traces passed on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from parley.core import Conflict, Invalid, NotFound, ParleyError, SettingsError, Unavailable
from parley.telemetry import Tracing, current_traceparent, names, span

MESSAGE_BYTES = 6 * 1024 * 1024  # an upload of 5 MB and its frame
LONGEST_SOCKET_PATH = 100  # bytes; the kernel's limit is 107
_OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),
]
_CLIENT_OPTIONS = [
    *_OPTIONS,
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 20000),
]
STATUS = {
    Invalid: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    Conflict: grpc.StatusCode.FAILED_PRECONDITION,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
}


class _ServerTracing(grpc.aio.ServerInterceptor):
    """Continue the caller's trace, and turn our errors into status codes."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        metadata = dict(handler_call_details.invocation_metadata or ())
        traceparent = str(metadata.get("traceparent", ""))
        method = handler_call_details.method.rsplit("/", 1)[-1]
        inner: Any = handler.unary_unary

        async def traced(request: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            with span(
                f"{names.GRPC_SERVE} {method}",
                kind="server",
                context=self._tracing.follow(traceparent),
                rpc__method=method,
            ):
                try:
                    return await inner(request, context)
                except ParleyError as error:
                    code = next((c for kind, c in STATUS.items() if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
                    await context.abort(code, str(error))

        return grpc.unary_unary_rpc_method_handler(traced, handler.request_deserializer, handler.response_serializer)


class _ClientTracing(grpc.aio.UnaryUnaryClientInterceptor):
    """A span per call, the trace passed on, and a deadline even where the caller named none."""

    async def intercept_unary_unary(
        self,
        continuation: "Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[grpc.aio.UnaryUnaryCall[Any, Any]]]",
        client_call_details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        method = client_call_details.method
        name = (method.decode() if isinstance(method, bytes) else str(method)).rsplit("/", 1)[-1]
        with span(f"{names.GRPC_CALL} {name}", kind="client", rpc__method=name) as recording:
            metadata = grpc.aio.Metadata(*(client_call_details.metadata or ()))
            if traceparent := current_traceparent():
                metadata.add("traceparent", traceparent)
            timeout = client_call_details.timeout if client_call_details.timeout is not None else 10.0
            details = grpc.aio.ClientCallDetails(
                client_call_details.method, timeout, metadata, client_call_details.credentials, True
            )
            call = await continuation(details, request)
            code = await call.code()
            if code is not grpc.StatusCode.OK:
                recording.fail(code.name)
            return call


@asynccontextmanager
async def connect(target: str) -> AsyncIterator[grpc.aio.Channel]:
    """One channel to a service, reconnecting by itself. Calls made while it is down wait until their deadline."""
    async with grpc.aio.insecure_channel(target, options=_CLIENT_OPTIONS, interceptors=[_ClientTracing()]) as channel:
        yield channel


@asynccontextmanager
async def serve(
    listen: str, add: Sequence[Callable[[grpc.aio.Server], None]], *, tracing: Tracing, service: str
) -> AsyncIterator[health.aio.HealthServicer]:
    """Serve until the context is left; running calls then have two seconds. Health and reflection are included.

    Raises SettingsError when the address cannot be used.
    """
    server = grpc.aio.server(options=_OPTIONS, interceptors=[_ServerTracing(tracing)])
    state = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    for register in add:
        register(server)
    reflection.enable_server_reflection([health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    _bind(server, listen, service)
    await server.start()
    await state.set("", health_pb2.HealthCheckResponse.SERVING)
    try:
        yield state
    finally:
        await state.enter_graceful_shutdown()
        await asyncio.shield(server.stop(2))


def _bind(server: grpc.aio.Server, listen: str, service: str) -> None:
    variable = f"PARLEY_{service.replace('-', '_').upper()}_LISTEN"
    if listen.startswith("unix:"):
        path = Path(listen.removeprefix("unix:"))
        if len(str(path).encode()) > LONGEST_SOCKET_PATH:
            raise SettingsError(f"{path} is too long for a socket; set PARLEY_HOME to a shorter path or {variable}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    try:
        server.add_insecure_port(listen)
    except RuntimeError:
        raise SettingsError(f'{variable} is "{listen}", which cannot be served; is its port taken?') from None
