"""A page asks for its visitor's token."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from parley_gateway.desk import Desk
from parley_gateway.door import knock_of
from parley_gateway.rest.envelope import Envelope, answer
from parley_gateway.rest.models import VisitorTokenIn, VisitorTokenOut


def router(desk: Desk) -> APIRouter:
    """The calls of a page before it opens its stream."""
    routes = APIRouter(tags=["visitors"])

    @routes.post("/v1/visitor-tokens", response_model=Envelope[VisitorTokenOut], status_code=201)
    async def issue_visitor_token(body: VisitorTokenIn, request: Request) -> JSONResponse:
        """A short-lived token for one session. With `returning`, an earlier token, the visitor keeps its session."""
        knock = knock_of(dict(request.scope), desk.settings.trusted_proxies)
        desk.newcomers.check(knock.address, desk.ctx.clock.monotonic(), "too many tokens for this address; wait")
        issued = await desk.access.issue(body.site_key, body.returning, knock.origin)
        expires = issued.expires_at.ToJsonString()
        return answer({"token": issued.token, "session_id": issued.session_id, "expires_at": expires}, status=201)

    return routes
