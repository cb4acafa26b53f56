"""The gRPC face of `Access`: asked by gateways and the command line."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from parley.contracts.v1 import (
    AccessServicer,
    CreateKeyRequest,
    CreateKeyResponse,
    CreateSiteRequest,
    CreateSiteResponse,
    EventMeta,
    IssueVisitorTokenRequest,
    IssueVisitorTokenResponse,
    KeyRevoked,
    ListKeysRequest,
    ListKeysResponse,
    ListSitesRequest,
    ListSitesResponse,
    RemoveSiteRequest,
    RemoveSiteResponse,
    ResolveKeyRequest,
    ResolveKeyResponse,
    RevokeKeyRequest,
    RevokeKeyResponse,
    SiteOrigins,
    SiteOriginsRequest,
    SiteOriginsResponse,
    VerificationKey,
    VerificationKeysRequest,
    VerificationKeysResponse,
)
from parley.contracts.v1 import ApiKey as WireKey
from parley.core import ParleyError
from parley.service import Context
from parley_session_router.access.door import Access
from parley_session_router.access.errors import PermissionDenied, Unauthenticated
from parley_session_router.access.records import ApiKey, Site


class AccessQuestions(AccessServicer):
    """Answers from `deps.access`. What is wrong with a request is said by its status code; the runner maps the rest."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._ctx = ctx
        self._access = Access(ctx.deps.access, ctx.clock)

    async def ResolveKey(self, request: ResolveKeyRequest, context: Any) -> ResolveKeyResponse:  # noqa: N802 - contract
        """UNAUTHENTICATED for an unknown, revoked or expired key."""
        async with _turned_away(context):
            return ResolveKeyResponse(key=_wire(await self._access.resolve_key(request.key)))

    async def CreateKey(self, request: CreateKeyRequest, context: Any) -> CreateKeyResponse:  # noqa: N802 - contract
        """INVALID_ARGUMENT for a strange tenant, name or scope. The secret is in this answer and nowhere else."""
        key, secret = await self._access.create_key(
            request.tenant_id, request.name, request.scopes, ttl_s=request.ttl_s
        )
        return CreateKeyResponse(key=_wire(key), secret=secret)

    async def ListKeys(self, request: ListKeysRequest, context: Any) -> ListKeysResponse:  # noqa: N802 - contract
        """Revoked and expired ones too."""
        return ListKeysResponse(keys=[_wire(key) for key in await self._access.list_keys(request.tenant_id)])

    async def RevokeKey(self, request: RevokeKeyRequest, context: Any) -> RevokeKeyResponse:  # noqa: N802 - contract
        """NOT_FOUND for a key of nobody or of another tenant; `revoked` is false when it was so before."""
        revoked = await self._access.revoke_key(request.tenant_id, request.key_id)
        fact = KeyRevoked(meta=EventMeta(tenant_id=request.tenant_id), key_id=request.key_id)
        with contextlib.suppress(ParleyError):  # it only makes gateways forget at once what they forget in seconds
            await self._ctx.publish(fact)
        return RevokeKeyResponse(revoked=revoked)

    async def IssueVisitorToken(  # noqa: N802 - contract
        self, request: IssueVisitorTokenRequest, context: Any
    ) -> IssueVisitorTokenResponse:
        """INVALID_ARGUMENT for an unknown site key, PERMISSION_DENIED for a page of another origin."""
        async with _turned_away(context):
            issued = await self._access.issue_visitor_token(
                request.site_key, returning=request.returning, origin=request.origin
            )
            return IssueVisitorTokenResponse(
                token=issued.token,
                session_id=issued.session_id,
                tenant_id=issued.tenant_id,
                expires_at=_stamp(issued.expires_at),
                returning=issued.returning,
            )

    async def VerificationKeys(  # noqa: N802 - contract
        self, request: VerificationKeysRequest, context: Any
    ) -> VerificationKeysResponse:
        """The next, the current and the previous key."""
        keys = await self._access.verification_keys()
        return VerificationKeysResponse(
            keys=[VerificationKey(kid=key.kid, public_key_pem=key.public_pem) for key in keys]
        )

    async def SiteOrigins(self, request: SiteOriginsRequest, context: Any) -> SiteOriginsResponse:  # noqa: N802
        """Every site of every tenant."""
        return SiteOriginsResponse(sites=[_wire_site(site) for site in await self._access.sites()])

    async def CreateSite(self, request: CreateSiteRequest, context: Any) -> CreateSiteResponse:  # noqa: N802 - contract
        """INVALID_ARGUMENT for a strange tenant or origin, or a site key that another tenant has."""
        site = await self._access.put_site(request.tenant_id, site_key=request.site_key, origins=request.origins)
        return CreateSiteResponse(site=_wire_site(site))

    async def ListSites(self, request: ListSitesRequest, context: Any) -> ListSitesResponse:  # noqa: N802 - contract
        """One tenant's."""
        return ListSitesResponse(
            sites=[_wire_site(site) for site in await self._access.list_sites(request.tenant_id)],
        )

    async def RemoveSite(self, request: RemoveSiteRequest, context: Any) -> RemoveSiteResponse:  # noqa: N802 - contract
        """NOT_FOUND for a site of nobody or of another tenant."""
        await self._access.remove_site(request.tenant_id, request.site_key)
        return RemoveSiteResponse(removed=True)


@contextlib.asynccontextmanager
async def _turned_away(context: Any) -> AsyncIterator[None]:
    try:
        yield
    except Unauthenticated as error:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))
    except PermissionDenied as error:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))


def _wire(key: ApiKey) -> WireKey:
    return WireKey(
        key_id=key.key_id,
        tenant_id=key.tenant_id,
        name=key.name,
        scopes=key.scopes,
        created_at=_stamp(key.created_at),
        expires_at=_stamp(key.expires_at),
        revoked_at=_stamp(key.revoked_at),
    )


def _wire_site(site: Site) -> SiteOrigins:
    return SiteOrigins(site_key=site.site_key, tenant_id=site.tenant_id, origins=site.origins)


def _stamp(at: float | None) -> Timestamp | None:
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromMilliseconds(int(at * 1000))
    return stamp
