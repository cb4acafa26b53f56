import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest

from parley.core import Invalid
from parley.testing import VirtualClock
from parley_session_router.access import Access, AccessStore, open_access
from parley_session_router.access.signing import PUBLISH_SECONDS, ROTATE_SECONDS
from parley_session_router.access.visitor_tokens import RETURN_SECONDS, TOKEN_SECONDS, Claims, new_signing_key, sign

DAY = 24 * 3600.0


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccessStore]:
    async with open_access(f"sqlite:///{tmp_path / 'parley.db'}") as opened:
        yield opened


@pytest.fixture
async def access(store: AccessStore, clock: VirtualClock) -> Access:
    made = Access(store, clock)
    await made.put_site("dian-pu", site_key="shop")
    await made.put_site("bie-jia", site_key="other")
    return made


async def verified(access: Access, token: str) -> dict[str, object]:
    """As a gateway does it, with the published keys."""
    keys = {key.kid: key.public_pem for key in await access.verification_keys()}
    claims: dict[str, object] = jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]],
        algorithms=["EdDSA"],
        audience="visitor",
        issuer="parley",
        options={"verify_exp": False, "verify_iat": False},
    )
    return claims


async def test_a_token_names_its_tenant_and_session_for_a_day(access: Access, clock: VirtualClock) -> None:
    issued = await access.issue_visitor_token("shop")
    assert await verified(access, issued.token) == {
        "iss": "parley",
        "aud": "visitor",
        "sub": issued.session_id,
        "tenant": "dian-pu",
        "iat": int(clock.now()),
        "exp": int(clock.now() + DAY),
    }
    assert issued.expires_at == int(clock.now() + DAY)
    assert issued.session_id.startswith("ses_")


async def test_every_new_visitor_has_a_session_of_its_own(access: Access) -> None:
    first, second = [await access.issue_visitor_token("shop") for _ in range(2)]
    assert first.session_id != second.session_id
    assert not first.returning


@pytest.mark.parametrize("days", [0, 0.5, 2, 89])
async def test_a_returning_visitor_keeps_its_session(access: Access, clock: VirtualClock, days: float) -> None:
    first = await access.issue_visitor_token("shop")
    await clock.advance(days * DAY)
    again = await access.issue_visitor_token("shop", returning=first.token)
    assert (again.session_id, again.returning) == (first.session_id, True)
    assert again.expires_at == int(clock.now() + TOKEN_SECONDS)


async def test_after_ninety_days_a_visitor_is_new(access: Access, clock: VirtualClock) -> None:
    first = await access.issue_visitor_token("shop")
    await clock.advance(RETURN_SECONDS + 1)
    again = await access.issue_visitor_token("shop", returning=first.token)
    assert again.session_id != first.session_id
    assert not again.returning


async def test_another_tenants_visitor_is_new_here(access: Access) -> None:
    theirs = await access.issue_visitor_token("other")
    mine = await access.issue_visitor_token("shop", returning=theirs.token)
    assert mine.session_id != theirs.session_id
    assert (mine.tenant_id, mine.returning) == ("dian-pu", False)


def forgeries(token: str, kid: str, public_pem: str) -> dict[str, str]:
    """What an attacker might send to get into the session of `token`."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    stranger = new_signing_key(1, 0.0)
    return {
        "unsigned": jwt.encode(claims, "", algorithm="none", headers={"kid": kid}),
        "signed by a stranger": jwt.encode(claims, stranger.private_pem, algorithm="EdDSA", headers={"kid": kid}),
        "unknown kid": sign(stranger, Claims("dian-pu", claims["sub"], claims["iat"]), claims["exp"]),
        "public key as HMAC secret": f"{part({'alg': 'HS256', 'kid': kid})}.{body}.{signature}",
        "changed session": f"{head}.{part(claims | {'sub': 'ses_victim'})}.{signature}",
        "no kid": f"{part({'alg': 'EdDSA'})}.{body}.{signature}",
        "kid of a wrong type": f"{part({'alg': 'EdDSA', 'kid': [kid]})}.{body}.{signature}",
        "cut": token[:-5],
        "no token": "我是老顾客",
        "dots": "..",
        "huge": token + "a" * 100_000,
        "no header": f".{body}.{signature}",
        "binary": "\x00\xff",
        "pem": public_pem,
    }


async def test_a_forged_token_gets_a_new_session_and_no_error(access: Access) -> None:
    victim = await access.issue_visitor_token("shop")
    (key,) = await access.verification_keys()
    for kind, forged in forgeries(victim.token, key.kid, key.public_pem).items():
        issued = await access.issue_visitor_token("shop", returning=forged)
        assert not issued.returning, kind
        assert issued.session_id not in {victim.session_id, "ses_victim"}, kind


@pytest.mark.parametrize("change", [{"aud": "agent"}, {"iss": "other"}, {"iat": 4e9}, {"iat": "now"}, {"sub": None}])
async def test_a_token_of_ours_that_was_meant_for_something_else_is_not_taken(
    access: Access, store: AccessStore, change: dict[str, object]
) -> None:
    issued = await access.issue_visitor_token("shop")
    (key,) = await store.signing_keys()
    claims = {name: value for name, value in ((await verified(access, issued.token)) | change).items() if value}
    other = jwt.encode(claims, key.private_pem, algorithm="EdDSA", headers={"kid": key.kid})
    assert not (await access.issue_visitor_token("shop", returning=other)).returning


@pytest.mark.parametrize("site_key", ["", "nobody", "店", "x" * 10_000])
async def test_an_unknown_site_key_is_refused(access: Access, site_key: str) -> None:
    with pytest.raises(Invalid, match="site key"):
        await access.issue_visitor_token(site_key)


async def test_after_a_rotation_tokens_of_both_keys_are_good(access: Access, clock: VirtualClock) -> None:
    old = await access.issue_visitor_token("shop")
    await access.rotate_signing_key()
    between = await access.issue_visitor_token("shop")
    await clock.advance(PUBLISH_SECONDS)
    new = await access.issue_visitor_token("shop")
    kids = [jwt.get_unverified_header(issued.token)["kid"] for issued in (old, between, new)]
    assert kids[0] == kids[1] != kids[2], "a key is published before anything is signed with it"
    for issued in (old, between, new):
        assert (await verified(access, issued.token))["sub"] == issued.session_id


async def test_a_revoked_signing_key_ends_its_tokens_and_another_takes_its_place(access: Access) -> None:
    old = await access.issue_visitor_token("shop")
    kid = jwt.get_unverified_header(old.token)["kid"]
    assert await access.revoke_key("shop", kid)
    assert not await access.revoke_key("shop", kid)
    assert kid not in {key.kid for key in await access.verification_keys()}
    new = await access.issue_visitor_token("shop", returning=old.token)
    assert not new.returning
    assert (await verified(access, new.token))["sub"] == new.session_id


async def test_only_the_previous_key_verifies_and_older_ones_still_bring_visitors_back(
    access: Access, clock: VirtualClock
) -> None:
    oldest = await access.issue_visitor_token("shop")
    for _ in range(2):
        await access.rotate_signing_key()
        await clock.advance(PUBLISH_SECONDS)
        await access.issue_visitor_token("shop")
    published = {key.kid for key in await access.verification_keys()}
    assert len(published) == 2
    assert jwt.get_unverified_header(oldest.token)["kid"] not in published
    assert (await access.issue_visitor_token("shop", returning=oldest.token)).returning


async def test_keys_are_rotated_every_month_and_dropped_when_nobody_can_return_with_them(
    access: Access, store: AccessStore, clock: VirtualClock
) -> None:
    await access.issue_visitor_token("shop")
    for month in range(1, 8):
        await clock.advance(ROTATE_SECONDS + 1)
        await access.issue_visitor_token("shop")
        assert (await store.signing_keys())[0].generation == month + 1
    assert len(await store.signing_keys()) <= 6


async def test_two_routers_share_their_keys(access: Access, store: AccessStore, clock: VirtualClock) -> None:
    other = Access(store, clock)
    issued = await other.issue_visitor_token("shop")
    assert (await access.issue_visitor_token("shop", returning=issued.token)).session_id == issued.session_id
    assert len(await store.signing_keys()) == 1
