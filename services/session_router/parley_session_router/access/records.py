"""Who may come in, as values. Times are unix seconds."""

from dataclasses import dataclass

DEMO_TENANT = "demo"
DEMO_SITE = "demo"
SCOPES = ("ingest", "agent", "operate")


@dataclass(frozen=True, slots=True)
class Tenant:
    """One customer of this installation; nothing of one tenant is seen by another."""

    tenant_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key for programs and people; its secret is known to its holder only."""

    key_id: str
    tenant_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key with the SHA-256 of its secret."""

    key: ApiKey
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class Site:
    """Where visitors come from: the public key in a page, and the origins of pages that may use it (none = any)."""

    site_key: str
    tenant_id: str
    origins: tuple[str, ...]
    created_at: float


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key for visitor tokens. Generations count from 1, so that two routers cannot make the same one."""

    generation: int
    kid: str
    private_pem: str
    public_pem: str
    created_at: float


@dataclass(frozen=True, slots=True)
class VisitorToken:
    """A token for one visitor's session."""

    token: str
    tenant_id: str
    session_id: str
    expires_at: float
    returning: bool
