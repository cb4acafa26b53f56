"""Who knocks, as the request itself shows it: address, origin and our own name, behind trusted proxies or not."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from parley.core import SettingsError

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Knock:
    """What a request shows of where it comes from."""

    address: str
    origin: str  # the page's, empty for programs
    host: str  # what the client calls us
    secure: bool = False  # whether it came by https, to us or to our proxy


def knock_of(scope: dict[str, Any], trusted_proxies: str) -> Knock:
    """Read an ASGI scope. `X-Forwarded-*` counts only when the peer is a trusted proxy: anybody can write headers."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    client = scope.get("client")
    peer, host = str(client[0]) if client else "", header(headers, b"host")
    secure = scope.get("scheme") in ("https", "wss")
    networks = networks_of(trusted_proxies)
    if _is_in(peer, networks):
        peer = _beyond(peer, _forwarded(headers), networks)
        host = header(headers, b"x-forwarded-host") or host
        secure = header(headers, b"x-forwarded-proto").partition(",")[0].strip() == "https"
    return Knock(peer, header(headers, b"origin"), host, secure)


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """The first header of this lower-case name, or the empty string."""
    return next((value.decode("latin-1") for key, value in headers if key == name), "")


@lru_cache(maxsize=8)
def networks_of(text: str) -> tuple[Network, ...]:
    """Comma-separated addresses and networks. Raises SettingsError naming the one that is neither."""
    found: list[Network] = []
    for part in (piece.strip() for piece in text.split(",")):
        if not part:
            continue
        try:
            found.append(ip_network(part, strict=False))
        except ValueError:
            raise SettingsError(
                f'PARLEY_GATEWAY_TRUSTED_PROXIES holds "{part}"; expected addresses or networks like 10.0.0.0/8'
            ) from None
    return tuple(found)


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    joined = ",".join(value.decode("latin-1") for key, value in headers if key == b"x-forwarded-for")
    return [hop.strip() for hop in joined.split(",") if hop.strip()]


def _beyond(peer: str, hops: list[str], networks: tuple[Network, ...]) -> str:
    """The nearest address that is none of our proxies: each appends whom it heard, what is left of it is hearsay."""
    for hop in reversed(hops):
        peer = hop
        if not _is_in(hop, networks):
            break
    return peer[:64]


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        known = ip_address(address)
    except ValueError:
        return False
    return any(known in network for network in networks)
