"""Who may come in: API keys, sites, visitor tokens. Its rules; the store only remembers."""

import re
import secrets
from collections.abc import Sequence

from parley.core import Clock, Invalid, NotFound, new_id
from parley_session_router.access.errors import PermissionDenied, Unauthenticated
from parley_session_router.access.origins import allows, normal_origin
from parley_session_router.access.port import AccessStore
from parley_session_router.access.records import SCOPES, ApiKey, SigningKey, Site, StoredKey, Tenant, VisitorToken
from parley_session_router.access.secret_keys import new_secret_key, parse
from parley_session_router.access.signing import Signing
from parley_session_router.access.visitor_tokens import SIGNING_KEY, TOKEN_SECONDS, Claims, read_returning, sign

_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SITE_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_ORIGINS = 100
LONGEST_NAME = 80
LONGEST_TTL = 10 * 365 * 24 * 3600


class Access:
    """The one owner of tenants, API keys, site keys and visitor tokens (decision 2)."""

    def __init__(self, store: AccessStore, clock: Clock, *, token_seconds: float = TOKEN_SECONDS) -> None:
        self._store = store
        self._clock = clock
        self._token_seconds = token_seconds
        self._signing = Signing(store, clock)

    async def resolve_key(self, text: str) -> ApiKey:
        """The key whose text this is. Raises Unauthenticated for an unknown, revoked or expired one."""
        given = parse(text)
        stored = await self._store.find_key(given.key_id) if given else None
        if given is None or stored is None or not given.matches(stored.secret_hash):
            raise Unauthenticated("this API key is not known here; make one with `parley keys create`")
        if stored.key.revoked_at is not None:
            raise Unauthenticated("this API key was revoked; make a new one with `parley keys create`")
        if stored.key.expires_at is not None and stored.key.expires_at <= self._clock.now():
            raise Unauthenticated("this API key has expired; make a new one with `parley keys create`")
        return stored.key

    async def create_key(
        self, tenant_id: str, name: str, scopes: Sequence[str], *, ttl_s: int = 0
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which is shown this once. A tenant begins with its first key. Raises Invalid."""
        wanted = tuple(scope for scope in SCOPES if scope in scopes)
        if not wanted or set(scopes) - set(SCOPES):
            raise Invalid(f"scopes are {', '.join(SCOPES)}; give one or more of them")
        if not name.strip() or len(name) > LONGEST_NAME:
            raise Invalid(f"a key needs a name of 1 to {LONGEST_NAME} characters that says who holds it")
        if not 0 <= ttl_s <= LONGEST_TTL:
            raise Invalid(f"ttl_s is 0 for no expiry, or up to {LONGEST_TTL} seconds")
        await self._begin_tenant(tenant_id)
        secret, now = new_secret_key(), self._clock.now()
        expires_at = now + ttl_s if ttl_s else None
        key = ApiKey(secret.key_id, tenant_id, name.strip(), wanted, now, expires_at)
        await self._store.add_key(StoredKey(key, secret.hashed))
        return key, secret.text

    async def list_keys(self, tenant_id: str) -> list[ApiKey]:
        """A tenant's keys, oldest first, revoked ones too."""
        return [stored.key for stored in await self._store.list_keys(tenant_id)]

    async def revoke_key(self, tenant_id: str, key_id: str) -> bool:
        """Refuse a key from now on; False when it was so before. Raises NotFound for a key of nobody or others.

        The id of a signing key ends all visitor tokens that were signed with it, those of other tenants too.
        """
        if key_id.startswith(SIGNING_KEY):
            return await self._signing.revoke(key_id)
        stored = await self._store.find_key(key_id)
        if stored is None or stored.key.tenant_id != tenant_id:
            raise NotFound(f"tenant {tenant_id} has no key {key_id[:40]}; see `parley keys list`")
        return await self._store.revoke_key(tenant_id, key_id, self._clock.now())

    async def put_site(self, tenant_id: str, *, site_key: str = "", origins: Sequence[str] = ()) -> Site:
        """A new site, or new origins for one of this tenant's. Raises Invalid."""
        if site_key and not _SITE_KEY.fullmatch(site_key):
            raise Invalid(f'"{site_key[:80]}" is not a site key; use up to 64 of a-z, A-Z, 0-9, "-" and "_", or none')
        if len(origins) > MOST_ORIGINS:
            raise Invalid(f"a site has {MOST_ORIGINS} origins at most; give {len(origins)} to several sites")
        await self._begin_tenant(tenant_id)
        allowed = tuple(dict.fromkeys(normal_origin(origin) for origin in origins))
        site = Site(site_key or f"site_{secrets.token_hex(8)}", tenant_id, allowed, self._clock.now())
        if not await self._store.put_site(site):
            raise Invalid(f"the site key {site_key[:40]} is taken; leave it out to be given one")
        return site

    async def list_sites(self, tenant_id: str) -> list[Site]:
        """A tenant's sites, by key."""
        return [site for site in await self._store.list_sites() if site.tenant_id == tenant_id]

    async def remove_site(self, tenant_id: str, site_key: str) -> None:
        """Give its visitors no more tokens. Raises NotFound for a site of nobody or of others."""
        if not await self._store.drop_site(tenant_id, site_key):
            raise NotFound(f"tenant {tenant_id} has no site {site_key[:64]}; see `parley sites list`")

    async def sites(self) -> list[Site]:
        """All sites, for the gateway's check of origins."""
        return await self._store.list_sites()

    async def issue_visitor_token(self, site_key: str, *, returning: str = "", origin: str = "") -> VisitorToken:
        """A token for the session of a returning visitor, else for a new one.

        Raises Invalid for an unknown site key, PermissionDenied when its pages are elsewhere.
        """
        site = await self._store.find_site(site_key) if site_key and len(site_key) <= LONGEST_NAME else None
        if site is None:
            raise Invalid("this site key is not known here; copy it again from the widget's settings")
        if not allows(site.origins, origin):
            raise PermissionDenied(
                f'pages of "{origin[:100]}" may not use this site key; add the origin to the site to let them'
            )
        now, ring = self._clock.now(), await self._signing.keyring()
        known = read_returning(returning, ring.by_id(), now)
        returns = known is not None and known.tenant_id == site.tenant_id
        session = known.session_id if known is not None and returns else new_id("ses")
        expires_at = now + self._token_seconds
        token = sign(ring.current(now), Claims(site.tenant_id, session, now), expires_at)
        return VisitorToken(token, site.tenant_id, session, float(int(expires_at)), returns)

    async def verification_keys(self) -> list[SigningKey]:
        """The keys that unexpired tokens may be signed with, newest first."""
        return list((await self._signing.keyring()).live(self._clock.now()))

    async def rotate_signing_key(self) -> SigningKey:
        """Make the next signing key now; the last goes on verifying."""
        return await self._signing.rotate()

    async def _begin_tenant(self, tenant_id: str) -> None:
        if not _TENANT.fullmatch(tenant_id):
            raise Invalid(f'"{tenant_id[:80]}" is not a tenant id; use up to 63 of a-z, 0-9, "-" and "_"')
        await self._store.put_tenant(Tenant(tenant_id, self._clock.now()))
