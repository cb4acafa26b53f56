"""Visitor tokens: JWTs signed with Ed25519, verified by anyone who has the public keys."""

from collections.abc import Mapping
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parley.core import new_id
from parley_session_router.access.records import SigningKey

ISSUER = "parley"
AUDIENCE = "visitor"
TOKEN_SECONDS = 24 * 3600.0
RETURN_SECONDS = 90 * 24 * 3600.0  # how long after its issue an old token still names its visitor's session
SKEW_SECONDS = 60.0  # between the clocks of our machines
LONGEST_TOKEN = 4096
SIGNING_KEY = "sig_"  # how the ids of signing keys begin


@dataclass(frozen=True, slots=True)
class Claims:
    """What a correctly signed token says, expired or not."""

    tenant_id: str
    session_id: str
    issued_at: float


def new_signing_key(generation: int, now: float) -> SigningKey:
    """A fresh key pair."""
    private = Ed25519PrivateKey.generate()
    return SigningKey(
        generation,
        new_id(SIGNING_KEY.rstrip("_")),
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
        now,
    )


def sign(key: SigningKey, claims: Claims, expires_at: float) -> str:
    """The token's text."""
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": claims.session_id,
        "tenant": claims.tenant_id,
        "iat": int(claims.issued_at),
        "exp": int(expires_at),
    }
    return jwt.encode(payload, key.private_pem, algorithm="EdDSA", headers={"kid": key.kid})


def read_returning(token: str, keys: Mapping[str, SigningKey], now: float) -> Claims | None:
    """What an earlier token says, though it may have expired; None when it is forged, foreign or too old."""
    if not token or len(token) > LONGEST_TOKEN:
        return None
    try:
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(
            token,
            key.public_pem,
            algorithms=["EdDSA"],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"verify_exp": False, "verify_iat": False, "require": ["iat", "sub", "tenant"]},
        )
        found = Claims(str(claims["tenant"]), str(claims["sub"]), float(claims["iat"]))
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        return None
    return found if -SKEW_SECONDS <= now - found.issued_at <= RETURN_SECONDS else None
