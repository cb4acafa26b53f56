"""Site keys: made, listed, changed and removed by their tenant, over gRPC and by the command line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from click.testing import CliRunner

from parley.cli import main
from parley.contracts.v1 import (
    AccessStub,
    CreateSiteRequest,
    IssueVisitorTokenRequest,
    ListSitesRequest,
    RemoveSiteRequest,
    SiteOriginsRequest,
    add_AccessServicer_to_server,
)
from parley.service import Context, Service
from parley.service.grpc import connect
from parley.testing import TestBench
from parley_session_router.access import AccessQuestions, AccessStore, open_access


@dataclass(frozen=True)
class Deps:
    access: AccessStore


def _serve(ctx: Context[Deps], server: grpc.aio.Server) -> None:
    add_AccessServicer_to_server(AccessQuestions(ctx), server)


@asynccontextmanager
async def a_router(folder: Path) -> AsyncIterator[tuple[Any, str]]:
    """A stub, and where the command line finds the same router."""
    service = Service("session-router", Deps)
    service.serves(_serve)
    async with (
        open_access(f"sqlite:///{folder / 'parley.db'}") as access,
        TestBench(service, deps=Deps(access)) as bench,
    ):
        target = bench.ctx.settings.grpc_target("session-router")
        async with connect(target) as channel:
            yield AccessStub(channel), target


async def parley(*words: str) -> tuple[int, str, str]:
    """Run the command line beside the router; its exit code and what it printed."""
    done = await asyncio.to_thread(CliRunner().invoke, main, words)
    return done.exit_code, done.stdout, done.stderr


async def test_a_site_lets_in_the_visitors_of_its_origins_until_it_is_removed(tmp_path: Path) -> None:
    async with a_router(tmp_path) as (stub, _):
        asked = CreateSiteRequest(tenant_id="dian-pu", origins=["HTTPS://Shop.example:443/"])
        site = (await stub.CreateSite(asked)).site
        assert (site.tenant_id, list(site.origins)) == ("dian-pu", ["https://shop.example"])
        visitor = IssueVisitorTokenRequest(site_key=site.site_key, origin="https://shop.example")
        assert (await stub.IssueVisitorToken(visitor)).tenant_id == "dian-pu"
        await stub.RemoveSite(RemoveSiteRequest(tenant_id="dian-pu", site_key=site.site_key))
        with pytest.raises(grpc.aio.AioRpcError, match="site key is not known"):
            await stub.IssueVisitorToken(visitor)
        assert not (await stub.SiteOrigins(SiteOriginsRequest())).sites


async def test_another_tenants_site_is_neither_seen_nor_changed(tmp_path: Path) -> None:
    async with a_router(tmp_path) as (stub, _):
        site = (await stub.CreateSite(CreateSiteRequest(tenant_id="dian-pu"))).site
        assert not (await stub.ListSites(ListSitesRequest(tenant_id="other"))).sites
        with pytest.raises(grpc.aio.AioRpcError, match="is taken") as refused:
            await stub.CreateSite(CreateSiteRequest(tenant_id="other", site_key=site.site_key))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await stub.RemoveSite(RemoveSiteRequest(tenant_id="other", site_key=site.site_key))
        assert missing.value.code() is grpc.StatusCode.NOT_FOUND
        assert [s.site_key for s in (await stub.ListSites(ListSitesRequest(tenant_id="dian-pu"))).sites] == [
            site.site_key
        ]


@pytest.mark.parametrize(
    "wrong",
    [
        CreateSiteRequest(tenant_id="Dian Pu"),
        CreateSiteRequest(tenant_id="dian-pu", origins=["shop.example"]),
        CreateSiteRequest(tenant_id="dian-pu", origins=["https://shop.example/path"]),
        CreateSiteRequest(tenant_id="dian-pu", origins=["https://shop.example"] * 101),
        CreateSiteRequest(tenant_id="dian-pu", site_key="小店"),
        CreateSiteRequest(tenant_id="dian-pu", site_key="x" * 65),
    ],
)
async def test_a_mistake_makes_no_site(tmp_path: Path, wrong: CreateSiteRequest) -> None:
    async with a_router(tmp_path) as (stub, _):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.CreateSite(wrong)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert not (await stub.SiteOrigins(SiteOriginsRequest())).sites


async def test_the_command_line_makes_lists_changes_and_removes_sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_router(tmp_path) as (_, target):
        monkeypatch.setenv("PARLEY_SESSION_ROUTER_URL", target)
        code, out, err = await parley("sites", "create", "--tenant", "shop", "--origin", "https://shop.example")
        key = out.strip()
        assert (code, key[:5]) == (0, "site_"), err
        assert "https://shop.example" in err
        assert await parley("sites", "list", "--tenant", "shop") == (0, f"{key:28} https://shop.example\n", "")
        code, out, _ = await parley("sites", "origins", key, "http://localhost:3000", "--tenant", "shop")
        assert (code, out) == (0, f"{key} lets in pages of http://localhost:3000\n")
        code, _, err = await parley("sites", "origins", "site_mistyped", "--tenant", "shop")
        assert (code, "has no site site_mistyped" in err) == (1, True)
        assert (await parley("sites", "remove", key, "--tenant", "shop"))[0] == 0
        code, out, err = await parley("sites", "list", "--tenant", "shop")
        assert (code, out, "shop has no sites" in err) == (0, "", True)
