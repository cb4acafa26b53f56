"""Who is at the door: API keys, visitor tokens and origins, asked of their owner and remembered for a short while."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

from parley.contracts.v1 import (
    AccessAsyncStub,
    ApiKey,
    IssueVisitorTokenRequest,
    IssueVisitorTokenResponse,
    ResolveKeyRequest,
    SiteOriginsRequest,
    VerificationKeysRequest,
)
from parley.core import Clock, SystemClock, Unavailable
from parley_gateway.asking import Forbidden, Unauthorised, answer_of

KEY_SECONDS = 10.0  # a revoked API key is refused after this at the latest; the KeyRevoked fact makes it at once
KEY_GRACE_SECONDS = 300.0  # a key that was good goes on while nobody can be asked
KEYS_KEPT = 10_000
VERIFICATION_SECONDS = 300.0
ORIGIN_SECONDS = 30.0
LEEWAY_SECONDS = 30.0  # that our clock and the router's may differ by
CALL_SECONDS = 5.0
GRACE_CALL_SECONDS = 0.5  # for asking again about a key that is known
ALGORITHMS = ["EdDSA"]
SIGNING_KEY = "sig_"  # how the ids of signing keys begin
AUDIENCE, ISSUER = "visitor", "parley"


@dataclass(frozen=True, slots=True)
class VisitorToken:
    """What a verified visitor token says."""

    tenant: str
    session: str
    expires_at: float  # unix seconds by our clock, the leeway included
    kid: str = ""  # of the key that it was signed with


@dataclass(frozen=True, slots=True)
class _Site:
    tenant: str
    origins: frozenset[str]

    def allows(self, origin: str, tenant: str) -> bool:
        return tenant in ("", self.tenant) and (not self.origins or origin in self.origins)


class Access:
    """Asks the session-router; answers from memory where it may."""

    def __init__(self, stub: AccessAsyncStub, clock: Clock | None = None) -> None:
        self._stub = stub
        self._clock = clock or SystemClock()
        self._keys: dict[str, tuple[ApiKey, float]] = {}
        self._verification: dict[str, str] = {}
        self._verification_at = 0.0
        self._revoked: set[str] = set()  # signing keys
        self._sites: list[_Site] = []
        self._sites_until = float("-inf")

    # ---- API keys -------------------------------------------------------------------------------------

    async def api_key(self, authorization: str, *scopes: str) -> ApiKey:
        """The key in an Authorization header, good for one of `scopes`. Raises Unauthorised, Forbidden, Unavailable."""
        key = await self._known_key(bearer(authorization))
        if not set(scopes) & set(key.scopes):
            wanted = " or ".join(scopes)
            raise Forbidden(f"this key has no scope {wanted}; make one with `parley keys create --scope {scopes[0]}`")
        return key

    def forget_key(self, key_id: str) -> None:
        """An API key or a signing key was revoked."""
        if key_id.startswith(SIGNING_KEY):
            self._revoked.add(key_id)
            self._verification_at = float("-inf")  # its successor may be in use at once
        self._keys = {secret: known for secret, known in self._keys.items() if known[0].key_id != key_id}

    async def _known_key(self, secret: str) -> ApiKey:
        now = self._clock.monotonic()
        key, asked_at = self._keys.get(secret, (None, 0.0))
        if key is not None and now - asked_at < KEY_SECONDS:
            return key
        try:
            return await self._resolve(secret, CALL_SECONDS if key is None else GRACE_CALL_SECONDS)
        except Unauthorised:
            self._keys.pop(secret, None)
            raise
        except Unavailable:
            if key is None or now - asked_at > KEY_GRACE_SECONDS:
                raise
            return key

    async def _resolve(self, secret: str, seconds: float) -> ApiKey:
        answer = await answer_of(self._stub.ResolveKey(ResolveKeyRequest(key=secret), timeout=seconds))
        if len(self._keys) >= KEYS_KEPT:
            self._keys.clear()
        self._keys[secret] = (answer.key, self._clock.monotonic())
        return answer.key

    # ---- visitors -------------------------------------------------------------------------------------

    async def visitor(self, token: str) -> VisitorToken:
        """What a visitor token says. Raises Unauthorised when it is not ours, expired or meant for something else."""
        try:
            kid = kid_of(token)
            claims = _claims(token, await self._verification_key(kid))
        except jwt.ExpiredSignatureError:
            raise Unauthorised("the token has expired; ask POST /v1/visitor-tokens with it as `returning`") from None
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthorised(f"the token is not valid ({type(error).__name__}); ask for a new one") from None
        return VisitorToken(str(claims["tenant"]), str(claims["sub"]), float(claims["exp"]) + LEEWAY_SECONDS, kid)

    async def issue(self, site_key: str, returning: str, origin: str) -> IssueVisitorTokenResponse:
        """A token for a visitor of a site. Raises Unauthorised, Forbidden, Invalid, Unavailable."""
        request = IssueVisitorTokenRequest(site_key=site_key, returning=returning, origin=origin)
        return await answer_of(self._stub.IssueVisitorToken(request, timeout=CALL_SECONDS))

    async def _verification_key(self, kid: str) -> str:
        if kid in self._revoked:
            raise Unauthorised("the token was signed with a key that was revoked; ask for a new one")
        age = self._clock.monotonic() - self._verification_at
        # An unknown kid asks again, but not more than once a second: anybody can invent kids.
        if not self._verification or age > VERIFICATION_SECONDS or (kid not in self._verification and age > 1):
            await self._read_verification()
        if kid not in self._verification:
            raise Unauthorised("the token was signed with a key that is not ours (any more); ask for a new one")
        return self._verification[kid]

    async def _read_verification(self) -> None:
        answer = await answer_of(self._stub.VerificationKeys(VerificationKeysRequest(), timeout=CALL_SECONDS))
        self._verification = {key.kid: key.public_key_pem for key in answer.keys}
        self._verification_at = self._clock.monotonic()

    async def look_at_keys(self) -> None:
        """From time to time: hear of a revoked signing key even when its fact was lost."""
        if self._verification and self._clock.monotonic() - self._verification_at > VERIFICATION_SECONDS:
            before = set(self._verification)
            with suppress(Unavailable):
                await self._read_verification()
                self._revoked |= before - set(self._verification)

    def revoked(self, kid: str) -> bool:
        """Whether tokens signed with this key are worth nothing any more."""
        return kid in self._revoked

    # ---- origins --------------------------------------------------------------------------------------

    async def origin_allowed(self, origin: str, tenant: str = "") -> bool:
        """Whether a page elsewhere may talk to us: a site key of `tenant` (of anybody by default) names its origin.

        A site key without origins may be used anywhere, as `SiteOrigins` in access.proto has it: empty = any. It opens
        its own tenant only, but since the tenant is not known before hello, the upgrade then stands open to all pages.
        Raises Unavailable.
        """
        if self._clock.monotonic() > self._sites_until:
            answer = await answer_of(self._stub.SiteOrigins(SiteOriginsRequest(), timeout=CALL_SECONDS))
            self._sites = [_Site(site.tenant_id, frozenset(site.origins)) for site in answer.sites]
            self._sites_until = self._clock.monotonic() + ORIGIN_SECONDS
        return any(site.allows(origin, tenant) for site in self._sites)


def is_own(origin: str, host: str, configured: frozenset[str]) -> bool:
    """Whether nobody needs to be asked: no browser, our own page, or an origin that the operator has named."""
    own = bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    return not origin or own or origin in configured or "*" in configured


def kid_of(token: str) -> str:
    """The id of the key that a token says it was signed with. Raises jwt.PyJWTError."""
    return str(jwt.get_unverified_header(token).get("kid", ""))


def bearer(authorization: str) -> str:
    """The token of an Authorization header. Raises Unauthorised."""
    kind, _, token = authorization.partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthorised("send the header `Authorization: Bearer <key or token>`")
    return token.strip()


def _claims(token: str, key: str) -> Mapping[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=ALGORITHMS,
        audience=AUDIENCE,
        issuer=ISSUER,
        leeway=LEEWAY_SECONDS,
        # `iat` is the router's clock, which may be a moment ahead of ours.
        options={"require": ["exp", "iss", "aud", "sub", "tenant"], "verify_iat": False},
    )
    if not claims["tenant"] or not claims["sub"]:
        raise ValueError("a claim is empty")
    return claims
