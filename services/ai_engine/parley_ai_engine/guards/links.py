"""Takes links and images out of an answer unless their host is allowed: data leaves by an address. Pure."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

REMOVED: Final = "[…]"
LONGEST: Final = 2000  # what is longer is no address, and is not held back for ever

_STOPS: Final = r"\s<>()\[\]\"'，。！？；、（）【】《》“”"
_ADDRESS: Final = re.compile(
    rf"(?:[a-z][a-z0-9+.-]{{1,20}}:)?[/\\]{{2}}[^{_STOPS}]+|www\.[^{_STOPS}]+|(?:javascript|data|vbscript|file|mailto):[^{_STOPS}]+",
    re.IGNORECASE,
)
_OPEN: Final = re.compile(r"[!-~]+$")  # what stands at the end without a space may still become an address


class LinkFilter:
    """One answer on its way. A word of ASCII is held until it is whole, since addresses come in pieces."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = tuple(host.lower().strip() for host in allowed if host.strip())
        self._held = ""
        self.removed = 0

    def write(self, text: str) -> str:
        """What may be shown now."""
        self._held += text
        tail = _OPEN.search(self._held)
        cut = tail.start() if tail and len(tail[0]) <= LONGEST else len(self._held)
        ready, self._held = self._held[:cut], self._held[cut:]
        return _ADDRESS.sub(self._judge, ready)

    def finish(self) -> str:
        """The rest."""
        ready, self._held = self._held, ""
        return _ADDRESS.sub(self._judge, ready)

    def _judge(self, found: re.Match[str]) -> str:
        if allowed_host(found[0], self._allowed):
            return found[0]
        self.removed += 1
        return REMOVED


def allowed_host(address: str, allowed: Iterable[str]) -> bool:
    """Only http and https to a host of the list or below one; a backslash is read differently by every browser."""
    whole = f"https://{address}" if address.lower().startswith("www.") else address
    try:
        parts = urlsplit(whole)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if "\\" in address or parts.scheme not in {"", "http", "https"} or not host:
        return False
    return any(host == one or host.endswith(f".{one}") for one in allowed)
