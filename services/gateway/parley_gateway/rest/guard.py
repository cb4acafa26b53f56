"""Who may make a REST call, and from which address it comes."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from fastapi import Request

from parley.core import NotFound
from parley_gateway.access import bearer
from parley_gateway.realtime.connection import Desk
from parley_gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: an API key, or (with `session`) a visitor of exactly that session."""

    tenant: str
    name: str
    key_id: str = ""
    session: str = ""


async def key_caller(desk: Desk, request: Request, scope: str) -> Caller:
    """The caller by API key. Raises Unauthorised, Forbidden, Unavailable."""
    key = await desk.access.api_key(request.headers.get("authorization", ""), scope)
    return Caller(key.tenant_id, key.name, key_id=key.key_id)


async def any_caller(desk: Desk, request: Request, scope: str) -> Caller:
    """The caller by API key or by visitor token. Raises Unauthorised, Forbidden, Unavailable."""
    credential = bearer(request.headers.get("authorization", ""))
    if credential.startswith("pk_"):
        return await key_caller(desk, request, scope)
    token = await desk.access.visitor(credential)
    return Caller(token.tenant, "visitor", session=token.session)


def may_read(caller: Caller, session: str) -> None:
    """A visitor reads its own session only. Raises NotFound: others' sessions do not exist for it."""
    if caller.session and caller.session != session:
        raise NotFound("there is no such session")


def client_address(request: Request, settings: GatewaySettings) -> str:
    """The caller's address; `X-Forwarded-For` counts only when the peer is a trusted proxy."""
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "")
    return forwarded.rsplit(",", 1)[-1].strip() if forwarded and trusted(peer, settings.trusted_proxies) else peer


def trusted(peer: str, proxies: str) -> bool:
    """Whether `peer` is one of the comma-separated addresses or networks."""
    try:
        address = ip_address(peer)
        return any(address in ip_network(p.strip(), strict=False) for p in proxies.split(",") if p.strip())
    except ValueError:
        return False
