"""Who may come in is asked once and remembered for a short while."""

from pathlib import Path

import grpc
import pytest

from parley.contracts.v1 import ApiKey
from parley.core import Conflict, Invalid, NotFound, Unavailable
from parley_gateway.access import KEY_GRACE_SECONDS, KEY_SECONDS, LEEWAY_SECONDS, ORIGIN_SECONDS, bearer
from parley_gateway.asking import Forbidden, Unauthorised, answer_of
from tests.unit.gateway.a_desk import API_KEY, DOWN, SESSION, TENANT, a_desk, a_token, refused

GOOD = f"Bearer {API_KEY}"


@pytest.mark.parametrize("header", ["", "pk_good", "Basic pk_good", "Bearer", "Bearer   ", "Bearer\tpk"])
def test_an_authorization_header_that_is_none_says_what_to_send(header: str) -> None:
    with pytest.raises(Unauthorised, match="Authorization: Bearer"):
        bearer(header)


@pytest.mark.parametrize("header", ["Bearer pk_good", "bearer pk_good", "BEARER  pk_good "])
def test_the_word_bearer_is_read_as_http_wants_it(header: str) -> None:
    assert bearer(header) == "pk_good"


async def test_a_key_is_asked_once_for_a_while(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        for _ in range(3):
            assert (await at.desk.access.api_key(GOOD, "ingest")).tenant_id == TENANT
        assert at.router.asked == ["ResolveKey"]
        await at.clock.advance(KEY_SECONDS)
        await at.desk.access.api_key(GOOD, "ingest")
        assert len(at.router.asked) == 2


async def test_a_key_must_have_one_of_the_scopes(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        await at.desk.access.api_key(GOOD, "operate", "agent")
        with pytest.raises(Forbidden, match="no scope operate; make one with `parley keys create --scope operate`"):
            await at.desk.access.api_key(GOOD, "operate")


async def test_an_unknown_key_is_refused_and_not_remembered(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        for _ in range(2):
            with pytest.raises(Unauthorised, match="not known"):
                await at.desk.access.api_key("Bearer pk_bad", "ingest")
        assert len(at.router.asked) == 2


async def test_a_revoked_key_is_refused_at_once_when_we_hear_of_it(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.keys["pk_other"] = ApiKey(key_id="k_other", tenant_id=TENANT, scopes=["ingest"])
        await at.desk.access.api_key(GOOD, "ingest")
        await at.desk.access.api_key("Bearer pk_other", "ingest")
        del at.router.keys[API_KEY]
        at.desk.access.forget_key("k_agent")
        with pytest.raises(Unauthorised):
            await at.desk.access.api_key(GOOD, "ingest")
        await at.desk.access.api_key("Bearer pk_other", "ingest")


async def test_a_revoked_key_is_refused_soon_even_when_we_do_not_hear_of_it(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        await at.desk.access.api_key(GOOD, "ingest")
        del at.router.keys[API_KEY]
        await at.clock.advance(KEY_SECONDS)
        with pytest.raises(Unauthorised):
            await at.desk.access.api_key(GOOD, "ingest")


async def test_a_known_key_goes_on_for_a_while_when_nobody_can_be_asked(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        await at.desk.access.api_key(GOOD, "ingest")
        at.router.down = DOWN
        await at.clock.advance(KEY_GRACE_SECONDS)
        assert (await at.desk.access.api_key(GOOD, "ingest")).key_id == "k_agent"
        with pytest.raises(Unavailable):
            await at.desk.access.api_key("Bearer pk_new", "ingest")
        await at.clock.advance(1)
        with pytest.raises(Unavailable):
            await at.desk.access.api_key(GOOD, "ingest")


async def test_clocks_may_differ_a_little_when_a_token_expires(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        just_over = await at.desk.access.visitor(a_token(seconds=5 - LEEWAY_SECONDS))
        assert (just_over.session, just_over.expires_at > at.clock.now()) == (SESSION, True)
        with pytest.raises(Unauthorised, match="expired"):
            await at.desk.access.visitor(a_token(seconds=-LEEWAY_SECONDS - 1))


async def test_the_successor_of_a_revoked_signing_key_is_known_at_once(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        await at.desk.access.visitor(a_token())
        at.router.signing = "sig_2"
        at.desk.access.forget_key("sig_1")
        assert (await at.desk.access.visitor(a_token(kid="sig_2"))).kid == "sig_2"


async def test_invented_signing_keys_are_asked_about_once_a_second(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        for kid in ("无", "sig_x", "sig_y"):
            with pytest.raises(Unauthorised):
                await at.desk.access.visitor(a_token(kid=kid))
        assert at.router.asked == ["VerificationKeys"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://sub.shop.example",
        "null",
        "https://shop.example/",
    ],
)
async def test_an_origin_that_only_looks_like_a_sites_own_is_refused(tmp_path: Path, origin: str) -> None:
    async with a_desk(tmp_path) as at:
        assert await at.desk.access.origin_allowed("https://shop.example")
        assert not await at.desk.access.origin_allowed(origin)


async def test_a_site_without_origins_may_be_used_anywhere_but_only_by_its_tenant(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        at.router.origins["open"] = []
        assert await at.desk.access.origin_allowed("https://anywhere.example")
        assert await at.desk.access.origin_allowed("https://anywhere.example", "open")
        assert not await at.desk.access.origin_allowed("https://anywhere.example", TENANT)


async def test_origins_are_asked_again_after_a_while(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        assert not await at.desk.access.origin_allowed("https://new.example")
        at.router.origins[TENANT].append("https://new.example")
        assert not await at.desk.access.origin_allowed("https://new.example")
        await at.clock.advance(ORIGIN_SECONDS + 1)
        assert await at.desk.access.origin_allowed("https://new.example")
        assert at.router.asked == ["SiteOrigins"] * 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, Unauthorised),
        (grpc.StatusCode.PERMISSION_DENIED, Forbidden),
        (grpc.StatusCode.INVALID_ARGUMENT, Invalid),
        (grpc.StatusCode.NOT_FOUND, NotFound),
        (grpc.StatusCode.FAILED_PRECONDITION, Conflict),
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Unavailable),
        (grpc.StatusCode.INTERNAL, Unavailable),
    ],
)
async def test_status_codes_become_our_errors(status: grpc.StatusCode, kind: type[Exception]) -> None:
    async def call() -> None:
        raise refused(status, "why")

    with pytest.raises(kind):
        await answer_of(call())
