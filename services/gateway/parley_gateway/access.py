"""Who is at the door: API keys, visitor tokens and origins, asked of their owner and remembered for a short while."""

import time
from dataclasses import dataclass
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
from parley_gateway.asking import Forbidden, Unauthorised, answer_of

KEY_SECONDS = 10.0  # a revoked API key is refused after this at the latest; the KeyRevoked fact makes it at once
KEYS_KEPT = 10_000
VERIFICATION_SECONDS = 300.0
ORIGIN_SECONDS = 30.0
CALL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class VisitorToken:
    """What a verified visitor token says."""

    tenant: str
    session: str


class Access:
    """Asks the session-router; answers from memory where it may."""

    def __init__(self, stub: AccessAsyncStub) -> None:
        self._stub = stub
        self._keys: dict[str, tuple[ApiKey, float]] = {}
        self._verification: dict[str, str] = {}
        self._verification_at = 0.0
        self._origins: dict[str, frozenset[str]] = {}
        self._origins_at = -ORIGIN_SECONDS

    async def api_key(self, authorization: str, scope: str) -> ApiKey:
        """The key in an Authorization header, good for `scope`. Raises Unauthorised, Forbidden, Unavailable."""
        secret = bearer(authorization)
        known = self._keys.get(secret)
        if known is None or known[1] < time.monotonic():
            known = (await self._resolve(secret), time.monotonic() + KEY_SECONDS)
            if len(self._keys) >= KEYS_KEPT:
                self._keys.clear()
            self._keys[secret] = known
        if scope not in known[0].scopes:
            raise Forbidden(f"this key has no scope {scope}; make one with `parley keys create --scope {scope}`")
        return known[0]

    def forget_key(self, key_id: str) -> None:
        """The key was revoked."""
        self._keys = {secret: known for secret, known in self._keys.items() if known[0].key_id != key_id}

    async def visitor(self, token: str) -> VisitorToken:
        """What a visitor token says. Raises Unauthorised when it is not ours, expired or meant for something else."""
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(
                token,
                await self._verification_key(str(header.get("kid", ""))),
                algorithms=["EdDSA"],
                audience="visitor",
                issuer="parley",
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthorised("the token has expired; ask POST /v1/visitor-tokens with it as `returning`") from None
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthorised(f"the token is not valid: {type(error).__name__}") from None
        return VisitorToken(str(claims.get("tenant", "")), str(claims["sub"]))

    async def issue(self, site_key: str, returning: str, origin: str) -> IssueVisitorTokenResponse:
        """A token for a visitor of a site. Raises Unauthorised, Forbidden, Invalid, Unavailable."""
        request = IssueVisitorTokenRequest(site_key=site_key, returning=returning, origin=origin)
        return await answer_of(self._stub.IssueVisitorToken(request, timeout=CALL_SECONDS))

    async def origin_allowed(self, origin: str, host: str, configured: frozenset[str]) -> bool:
        """Whether a page of this origin may talk to us: our own, a configured one, or one of a site key's."""
        if not origin or "*" in configured or origin in configured or urlsplit(origin).netloc == host:
            return True
        if time.monotonic() - self._origins_at > ORIGIN_SECONDS:
            answer = await answer_of(self._stub.SiteOrigins(SiteOriginsRequest(), timeout=CALL_SECONDS))
            self._origins = {site.site_key: frozenset(site.origins) for site in answer.sites}
            self._origins_at = time.monotonic()
        return any(origin in origins for origins in self._origins.values())

    async def _resolve(self, secret: str) -> ApiKey:
        answer = await answer_of(self._stub.ResolveKey(ResolveKeyRequest(key=secret), timeout=CALL_SECONDS))
        return answer.key

    async def _verification_key(self, kid: str) -> str:
        stale = time.monotonic() - self._verification_at > VERIFICATION_SECONDS
        # An unknown kid asks again, but not more than once a second: anybody can invent kids.
        unknown = kid not in self._verification and time.monotonic() - self._verification_at > 1
        if stale or unknown or not self._verification:
            answer = await answer_of(self._stub.VerificationKeys(VerificationKeysRequest(), timeout=CALL_SECONDS))
            self._verification = {key.kid: key.public_key_pem for key in answer.keys}
            self._verification_at = time.monotonic()
        if kid not in self._verification:
            raise Unauthorised("the token was signed with a key that is not ours (any more)")
        return self._verification[kid]


def bearer(authorization: str) -> str:
    """The token of an Authorization header. Raises Unauthorised."""
    kind, _, token = authorization.partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthorised("send the header `Authorization: Bearer <key or token>`")
    return token.strip()
