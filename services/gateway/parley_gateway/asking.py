"""Questions to other services: their status codes as our errors."""

from collections.abc import Awaitable
from typing import TypeVar

import grpc
import grpc.aio

from parley.core import Conflict, Invalid, NotFound, ParleyError, Unavailable

T = TypeVar("T")


class Unauthorised(ParleyError):
    """The credential is missing, wrong, expired or revoked."""


class Forbidden(ParleyError):
    """The credential is good, but not for this."""


class TooLarge(ParleyError):
    """More bytes than are allowed."""


class RateLimited(ParleyError):
    """Too fast, or too many at once; good again after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


_ERRORS: dict[grpc.StatusCode, type[ParleyError]] = {
    grpc.StatusCode.UNAUTHENTICATED: Unauthorised,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.INVALID_ARGUMENT: Invalid,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: Conflict,
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooLarge,
}


async def answer_of(call: Awaitable[T]) -> T:
    """The answer of a gRPC call. Raises the error of ours that its status stands for; Unavailable by default."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        kind = _ERRORS.get(error.code())
        if kind is None:
            raise Unavailable(f"a part of the desk does not answer ({error.code().name.lower()}); try again") from None
        raise kind(error.details() or error.code().name) from None
