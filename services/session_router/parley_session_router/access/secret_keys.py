"""The text of API keys: `pk_<key id>_<secret>`. The secret has 256 random bits, so a plain SHA-256 keeps it."""

import base64
import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

KEY_BITS = 60
SECRET_BITS = 256
_SHAPE = re.compile(r"pk_([0-9a-v]{12})_([0-9a-v]{52})")


class SecretKey(NamedTuple):
    """Both halves of a key."""

    key_id: str
    secret: str

    @property
    def text(self) -> str:
        """What its holder sends."""
        return f"pk_{self.key_id}_{self.secret}"

    @property
    def hashed(self) -> bytes:
        """What is stored."""
        return hashlib.sha256(self.secret.encode()).digest()

    def matches(self, stored: bytes) -> bool:
        """Whether this is the secret behind a stored hash, in a time that does not tell."""
        return hmac.compare_digest(self.hashed, stored)


def new_secret_key() -> SecretKey:
    """A key that nobody has yet."""
    return SecretKey(_random(KEY_BITS), _random(SECRET_BITS))


def parse(text: str) -> SecretKey | None:
    """The halves of a key's text, or None for anything else."""
    found = _SHAPE.fullmatch(text) if len(text) < 100 else None
    return SecretKey(*found.groups()) if found else None


def _random(bits: int) -> str:
    return base64.b32hexencode(secrets.token_bytes(-(-bits // 8))).decode().rstrip("=").lower()[: -(-bits // 5)]
