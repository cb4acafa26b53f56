"""The questions as the gateway and the command line ask them: over a socket, through the runner."""

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
import pytest

from parley.contracts.v1 import (
    AccessAsyncStub,
    AccessStub,
    CreateKeyRequest,
    IssueVisitorTokenRequest,
    KeyRevoked,
    ListKeysRequest,
    ResolveKeyRequest,
    RevokeKeyRequest,
    SiteOriginsRequest,
    VerificationKeysRequest,
    add_AccessServicer_to_server,
)
from parley.service import Context, Service
from parley.service.grpc import connect
from parley.testing import TestBench
from parley_session_router.access import Access, AccessQuestions, AccessStore, open_access


@dataclass(frozen=True)
class Deps:
    access: AccessStore


def _serve(ctx: Context[Deps], server: grpc.aio.Server) -> None:
    add_AccessServicer_to_server(AccessQuestions(ctx), server)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[TestBench[Deps]]:
    service = Service("session-router", Deps)
    service.serves(_serve)
    async with (
        open_access(f"sqlite:///{tmp_path / 'parley.db'}") as access,
        TestBench(service, deps=Deps(access)) as bench,
    ):
        yield bench


@pytest.fixture
async def stub(bench: TestBench[Deps]) -> AsyncIterator[AccessAsyncStub]:
    async with connect(bench.ctx.settings.grpc_target("session-router")) as channel:
        yield AccessStub(channel)


@pytest.fixture
async def access(bench: TestBench[Deps]) -> Access:
    return Access(bench.ctx.deps.access, bench.clock)


def refusal(caught: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> tuple[grpc.StatusCode, str]:
    return caught.value.code(), caught.value.details() or ""


async def test_a_key_is_made_used_listed_and_revoked(bench: TestBench[Deps], stub: AccessAsyncStub) -> None:
    made = await stub.CreateKey(CreateKeyRequest(tenant_id="dian-pu", name="客服台", scopes=["agent"], ttl_s=60))
    assert made.key.expires_at.seconds - made.key.created_at.seconds == 60
    resolved = await stub.ResolveKey(ResolveKeyRequest(key=made.secret))
    assert resolved.key == made.key
    listed = await stub.ListKeys(ListKeysRequest(tenant_id="dian-pu"))
    assert list(listed.keys) == [made.key]
    assert made.secret.split("_")[2] not in str(listed)
    revoke = RevokeKeyRequest(tenant_id="dian-pu", key_id=made.key.key_id)
    assert (await stub.RevokeKey(revoke)).revoked
    assert not (await stub.RevokeKey(revoke)).revoked
    assert bench.sent(KeyRevoked)[0].key_id == made.key.key_id
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ResolveKey(ResolveKeyRequest(key=made.secret))
    code, words = refusal(caught)
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert "revoked" in words
    assert (await stub.ListKeys(ListKeysRequest(tenant_id="dian-pu"))).keys[0].HasField("revoked_at")


async def test_each_refusal_has_its_status(stub: AccessAsyncStub, access: Access) -> None:
    site = await access.put_site("dian-pu", origins=["https://shop.example"])
    elsewhere = IssueVisitorTokenRequest(site_key=site.site_key, origin="https://evil.example")
    refused: list[tuple[Awaitable[object], grpc.StatusCode]] = [
        (stub.ResolveKey(ResolveKeyRequest(key="pk_nobody")), grpc.StatusCode.UNAUTHENTICATED),
        (stub.CreateKey(CreateKeyRequest(tenant_id="dian-pu", name="x")), grpc.StatusCode.INVALID_ARGUMENT),
        (stub.RevokeKey(RevokeKeyRequest(tenant_id="dian-pu", key_id="x")), grpc.StatusCode.NOT_FOUND),
        (stub.IssueVisitorToken(elsewhere), grpc.StatusCode.PERMISSION_DENIED),
        (stub.IssueVisitorToken(IssueVisitorTokenRequest(site_key="谁")), grpc.StatusCode.INVALID_ARGUMENT),
    ]
    for call, expected in refused:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        code, words = refusal(caught)
        assert code is expected
        assert words


async def test_a_visitor_is_let_in_and_comes_back(stub: AccessAsyncStub, access: Access) -> None:
    await access.put_site("dian-pu", site_key="shop", origins=["https://shop.example"])
    first = await stub.IssueVisitorToken(IssueVisitorTokenRequest(site_key="shop", origin="https://shop.example"))
    again = await stub.IssueVisitorToken(
        IssueVisitorTokenRequest(site_key="shop", origin="https://shop.example", returning=first.token)
    )
    assert (first.tenant_id, first.returning) == ("dian-pu", False)
    assert (again.session_id, again.returning) == (first.session_id, True)
    assert first.expires_at.seconds > 0


async def test_gateways_learn_the_public_keys_and_origins_and_no_private_key(
    stub: AccessAsyncStub, access: Access
) -> None:
    await access.put_site("dian-pu", site_key="shop", origins=["https://shop.example"])
    keys = (await stub.VerificationKeys(VerificationKeysRequest())).keys
    assert [key.public_key_pem.splitlines()[0] for key in keys] == ["-----BEGIN PUBLIC KEY-----"]
    (site,) = (await stub.SiteOrigins(SiteOriginsRequest())).sites
    assert (site.site_key, site.tenant_id, list(site.origins)) == ("shop", "dian-pu", ["https://shop.example"])
