"""Who may make a REST call."""

from dataclasses import dataclass

from fastapi import Request

from parley.core import NotFound
from parley_gateway.access import bearer
from parley_gateway.desk import Desk

KEY_PREFIX = "pk_"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: an API key, or (with `session`) a visitor of exactly that session."""

    tenant: str
    name: str
    key_id: str = ""
    session: str = ""


async def key_caller(desk: Desk, request: Request, *scopes: str) -> Caller:
    """The caller by API key with one of `scopes`. Raises Unauthorised, Forbidden, Unavailable."""
    key = await desk.access.api_key(request.headers.get("authorization", ""), *scopes)
    return Caller(key.tenant_id, key.name, key_id=key.key_id)


async def any_caller(desk: Desk, request: Request, *scopes: str) -> Caller:
    """The caller by API key or by visitor token. Raises Unauthorised, Forbidden, Unavailable."""
    credential = bearer(request.headers.get("authorization", ""))
    if credential.startswith(KEY_PREFIX):
        return await key_caller(desk, request, *scopes)
    token = await desk.access.visitor(credential)
    return Caller(token.tenant, "visitor", session=token.session)


def may_read(caller: Caller, session: str) -> None:
    """A visitor reads its own session only. Raises NotFound: others' sessions do not exist for it."""
    if caller.session and caller.session != session:
        raise NotFound("there is no such session")
