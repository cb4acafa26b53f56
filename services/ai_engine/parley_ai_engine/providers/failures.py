"""What kind of failure a vendor's error is. Pure."""

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

_BY_CODE: Final = {
    "insufficient_quota": "quota",
    "credit_balance_exhausted": "quota",
    "enforced_spend_limit_reached": "quota",
    "context_length_exceeded": "too_long",
    "request_too_large": "too_long",
    "content_filter": "filtered",
    "data_inspection_failed": "filtered",
    "overloaded_error": "overloaded",
    "api_error": "overloaded",
    "server_error": "overloaded",
    "rate_limit_error": "rate_limited",
    "authentication_error": "unauthorized",
    "permission_error": "forbidden",
}
_BY_STATUS: Final = {401: "unauthorized", 403: "forbidden", 408: "overloaded", 409: "overloaded", 429: "rate_limited"}


def kind_of(status: int, *codes: str, message: str = "", quirks: Mapping[str, str] | None = None) -> str:
    """The kind of a ModelFailed. `codes` are the vendor's, the most telling first; a status of 200 says nothing."""
    known = {**_BY_CODE, **(quirks or {})}
    for code in codes:
        if code in known:
            return known[code]
    if "prompt is too long" in message:
        return "too_long"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "refused" if 400 <= status < 500 else "overloaded"


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until another try is welcome; None where the header is absent or makes no sense. `now` in unix time."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if (seconds := _number(headers.get(name, ""))) is not None:
            return seconds * unit
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
