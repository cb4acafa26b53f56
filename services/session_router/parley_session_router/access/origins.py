"""Origins of web pages, written one way: scheme://host, the port only where it is not the usual one."""

from collections.abc import Collection
from urllib.parse import urlsplit

from parley.core import Invalid

_USUAL_PORTS = {"http": 80, "https": 443}


def normal_origin(text: str) -> str:
    """`HTTPS://Shop.example:443/` as `https://shop.example`. Raises Invalid for what is no web origin."""
    parts = urlsplit(text.strip())
    try:
        port = parts.port
    except ValueError:
        port = -1
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in _USUAL_PORTS or not parts.hostname or extra or port == -1:
        raise Invalid(f'"{text[:100]}" is not an origin; write it like https://shop.example or http://localhost:3000')
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = f":{port}" if port and port != _USUAL_PORTS[parts.scheme] else ""
    return f"{parts.scheme}://{host}{shown}"


def allows(origins: Collection[str], origin: str) -> bool:
    """Whether a page of `origin` may come in; no origins at all means any."""
    if not origins:
        return True
    try:
        return normal_origin(origin) in origins
    except Invalid:
        return False
