"""A page asks for its visitor's token."""

from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse

from parley_gateway.realtime.connection import Desk
from parley_gateway.rest.envelope import Envelope, answer, refusal
from parley_gateway.rest.guard import client_address
from parley_gateway.rest.models import VisitorTokenIn, VisitorTokenOut


def router(desk: Desk) -> APIRouter:
    """The calls of a page before it opens its stream."""
    routes = APIRouter(tags=["visitors"])

    @routes.post("/v1/visitor-tokens", response_model=Envelope[VisitorTokenOut], status_code=201)
    async def issue_visitor_token(
        body: VisitorTokenIn, request: Request, origin: Annotated[str, Header()] = ""
    ) -> JSONResponse:
        """A short-lived token. With `returning`, an earlier token, the visitor keeps its session."""
        wait = desk.rates.take(f"token:{client_address(request, desk.settings)}", desk.ctx.clock.monotonic())
        if wait:
            return refusal(429, "too many tokens from this address; wait", {"retry-after": str(int(wait) + 1)})
        issued = await desk.access.issue(body.site_key, body.returning, origin)
        expires = issued.expires_at.ToJsonString()
        return answer({"token": issued.token, "session_id": issued.session_id, "expires_at": expires}, status=201)

    return routes
