"""Keep secrets out of logs, errors and spans."""

import re

_SECRET_KEY = re.compile(r"(authorization|token|secret|password|api[-_]?key|cookie)", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<=://)([^:/@\s]+):([^@/\s]+)@")
_BEARER = re.compile(r"(?i)(bearer\s+)[\w.~+/=-]+")
_KEY = re.compile(r"\b(pk|sk|eyJ)[\w.-]{12,}")


def redact(value: object, *, key: str = "") -> str:
    """`value` as text without passwords, bearer tokens and keys; all of it is hidden where `key` names a secret."""
    if key and _SECRET_KEY.search(key):
        return "***"
    text = _URL_PASSWORD.sub(r"\1:***@", str(value))
    return _KEY.sub("***", _BEARER.sub(r"\1***", text))
