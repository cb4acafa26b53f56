"""How a connection ends. 40xx: do not come back like this. 41xx: come back and resume."""

from parley.core import Invalid, ParleyError, Unavailable
from parley_gateway.asking import Forbidden, RateLimited, Unauthorised
from parley_gateway.inbox import Refused

UNAUTHORISED, BAD_FRAME, FORBIDDEN = 4001, 4002, 4003
DRAIN, SLOW, LOST, BUSY = 4100, 4101, 4102, 4129
PROTOCOL_ERROR = 1002


def close_code(error: ParleyError) -> int:
    """What a hello that fails like this is answered with."""
    if isinstance(error, Unavailable):
        return LOST
    if isinstance(error, RateLimited):
        return BUSY
    if isinstance(error, Forbidden):
        return FORBIDDEN
    return UNAUTHORISED if isinstance(error, Unauthorised) else BAD_FRAME


def error_code(error: ParleyError) -> str:
    """The word in an `error` frame, by which a client decides what to do and how to say it."""
    if isinstance(error, Refused):
        return error.code
    words: list[tuple[type[ParleyError], str]] = [
        (RateLimited, "rate_limited"),
        (Unavailable, "unavailable"),
        (Forbidden, "forbidden"),
        (Unauthorised, "unauthorised"),
        (Invalid, "bad_frame"),
    ]
    return next((word for kind, word in words if isinstance(error, kind)), "invalid")


def retry_after(error: ParleyError) -> float:
    """Seconds until the same may go well; 0 when it never will."""
    return error.retry_after if isinstance(error, Unavailable | RateLimited) else 0.0
