import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parley.core import Invalid, NotFound, SettingsError, redact
from parley.testing import VirtualClock
from parley_session_router.access import (
    SCOPES,
    Access,
    AccessStore,
    PermissionDenied,
    Unauthenticated,
    ensure_demo,
    ensure_operator_key,
    open_access,
)
from parley_session_router.access.origins import normal_origin


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccessStore]:
    async with open_access(f"sqlite:///{tmp_path / 'parley.db'}") as opened:
        yield opened


@pytest.fixture
def access(store: AccessStore, clock: VirtualClock) -> Access:
    return Access(store, clock)


async def test_a_key_is_known_by_its_text_and_stored_without_it(access: Access, tmp_path: Path) -> None:
    key, text = await access.create_key("dian-pu", "客服台", ["agent", "ingest"])
    assert re.fullmatch(r"pk_[0-9a-v]{12}_[0-9a-v]{52}", text)
    assert text.split("_")[1] == key.key_id
    assert key.scopes == ("ingest", "agent")
    assert await access.resolve_key(text) == key
    on_disk = b"".join((tmp_path / name).read_bytes() for name in os.listdir(tmp_path))
    assert text.split("_")[2].encode() not in on_disk
    assert text not in redact(f"Authorization {text}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pk_",
        "pk_aaaaaaaaaaaa_" + "0" * 52,
        "Bearer pk_x",
        "密钥",
        "pk_" + "a" * 10_000,
        "pk_\x00aaaaaaaaaaa_" + "0" * 52,
    ],
)
async def test_what_is_no_key_of_ours_is_turned_away(access: Access, text: str) -> None:
    with pytest.raises(Unauthenticated, match="not known"):
        await access.resolve_key(text)


async def test_the_right_id_with_a_wrong_secret_is_turned_away(access: Access) -> None:
    _, text = await access.create_key("dian-pu", "渠道", ["ingest"])
    wrong = text[:-1] + ("0" if text[-1] != "0" else "1")
    with pytest.raises(Unauthenticated, match="not known"):
        await access.resolve_key(wrong)


async def test_a_key_ends_when_it_was_said_to(access: Access, clock: VirtualClock) -> None:
    _, text = await access.create_key("dian-pu", "渠道", ["ingest"], ttl_s=60)
    await clock.advance(59)
    await access.resolve_key(text)
    await clock.advance(1)
    with pytest.raises(Unauthenticated, match="expired"):
        await access.resolve_key(text)


async def test_a_revoked_key_is_turned_away_and_revoked_once(access: Access) -> None:
    key, text = await access.create_key("dian-pu", "渠道", ["ingest"])
    assert await access.revoke_key("dian-pu", key.key_id)
    assert not await access.revoke_key("dian-pu", key.key_id)
    with pytest.raises(Unauthenticated, match="revoked"):
        await access.resolve_key(text)


async def test_nobody_revokes_or_sees_another_tenants_key(access: Access) -> None:
    key, text = await access.create_key("dian-pu", "渠道", ["ingest"])
    with pytest.raises(NotFound):
        await access.revoke_key("bie-jia", key.key_id)
    assert await access.list_keys("bie-jia") == []
    assert [known.key_id for known in await access.list_keys("dian-pu")] == [key.key_id]
    await access.resolve_key(text)


@pytest.mark.parametrize(
    ("tenant", "name", "scopes", "ttl"),
    [
        ("dian-pu", "渠道", [], 0),
        ("dian-pu", "渠道", ["root"], 0),
        ("dian-pu", "渠道", ["ingest", "root"], 0),
        ("dian-pu", " ", ["ingest"], 0),
        ("dian-pu", "长" * 81, ["ingest"], 0),
        ("dian-pu", "渠道", ["ingest"], -1),
        ("dian-pu", "渠道", ["ingest"], 10**12),
        ("", "渠道", ["ingest"], 0),
        ("店铺", "渠道", ["ingest"], 0),
        ("a\x1fb", "渠道", ["ingest"], 0),
        ("A" * 64, "渠道", ["ingest"], 0),
    ],
)
async def test_a_strange_key_is_not_made(access: Access, tenant: str, name: str, scopes: list[str], ttl: int) -> None:
    with pytest.raises(Invalid):
        await access.create_key(tenant, name, scopes, ttl_s=ttl)


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("HTTPS://Shop.Example:443/", "https://shop.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_origins_are_written_one_way(given: str, normal: str) -> None:
    assert normal_origin(given) == normal


@pytest.mark.parametrize(
    "given",
    ["", "null", "shop.example", "ftp://shop.example", "https://shop.example/page", "https://a:b@c", "http://x:99999"],
)
def test_what_is_no_origin_is_refused(given: str) -> None:
    with pytest.raises(Invalid, match="not an origin"):
        normal_origin(given)


async def test_a_site_key_works_from_its_own_pages_only(access: Access) -> None:
    site = await access.put_site("dian-pu", origins=["https://Shop.example/"])
    await access.issue_visitor_token(site.site_key, origin="https://shop.example")
    for origin in ("https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null", ""):
        with pytest.raises(PermissionDenied, match="may not use this site key"):
            await access.issue_visitor_token(site.site_key, origin=origin)


async def test_a_site_key_without_origins_works_anywhere(access: Access) -> None:
    site = await access.put_site("dian-pu")
    for origin in ("https://anywhere.example", ""):
        await access.issue_visitor_token(site.site_key, origin=origin)


async def test_a_site_key_stays_with_its_tenant(access: Access) -> None:
    await access.put_site("dian-pu", site_key="shop")
    with pytest.raises(Invalid, match="taken"):
        await access.put_site("bie-jia", site_key="shop")


async def test_the_demo_has_a_site_and_an_operators_key_that_others_cannot_read(access: Access, tmp_path: Path) -> None:
    home = tmp_path / "var"
    key = await ensure_demo(access, home)
    file = home / "operator.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert await access.resolve_key(file.read_text().strip()) == key
    assert set(key.scopes) == set(SCOPES)
    issued = await access.issue_visitor_token("demo", origin="http://localhost:8080")
    assert (issued.tenant_id, issued.returning) == ("demo", False)


async def test_the_operators_key_is_made_once(access: Access, tmp_path: Path) -> None:
    first = await ensure_demo(access, tmp_path)
    before = (tmp_path / "operator.key").read_text()
    assert await ensure_demo(access, tmp_path) == first
    assert (tmp_path / "operator.key").read_text() == before
    assert len(await access.list_keys("demo")) == 1


async def test_a_lost_operators_key_is_replaced_and_the_old_one_revoked(access: Access, tmp_path: Path) -> None:
    lost = await ensure_operator_key(access, tmp_path, "dian-pu")
    text = (tmp_path / "operator.key").read_text().strip()
    (tmp_path / "operator.key").write_text("别的东西")
    fresh = await ensure_operator_key(access, tmp_path, "dian-pu")
    assert fresh.key_id != lost.key_id
    with pytest.raises(Unauthenticated, match="revoked"):
        await access.resolve_key(text)


async def test_an_operators_key_that_cannot_be_written_says_where(access: Access, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"operator\.key"):
        await ensure_demo(access, tmp_path / "file")
