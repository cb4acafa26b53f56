"""Where tenants, keys and sites are kept. Adapters: `sqlite`, `mongo`; `open_access` chooses by URL.

Every call may wait for the database, never longer than ten seconds, and raises Unavailable when it does not answer.
"""

from typing import Protocol

from parley_session_router.access.records import SigningKey, Site, StoredKey, Tenant


class AccessStore(Protocol):
    """Called by `Access`, which knows the rules; this only remembers."""

    async def put_tenant(self, tenant: Tenant) -> None:
        """Remember a tenant, unless it is there already."""
        ...

    async def add_key(self, stored: StoredKey) -> None:
        """Remember a new key."""
        ...

    async def find_key(self, key_id: str) -> StoredKey | None:
        """A key by its public part."""
        ...

    async def list_keys(self, tenant_id: str) -> list[StoredKey]:
        """A tenant's keys, oldest first, revoked ones too."""
        ...

    async def revoke_key(self, tenant_id: str, key_id: str, at: float) -> bool:
        """Mark a key of this tenant revoked; False when it was so before, or there is none."""
        ...

    async def put_site(self, site: Site) -> bool:
        """Remember a site, or its new origins; False when the site key is another tenant's."""
        ...

    async def find_site(self, site_key: str) -> Site | None:
        """A site by its key."""
        ...

    async def list_sites(self) -> list[Site]:
        """All sites of all tenants."""
        ...

    async def drop_site(self, tenant_id: str, site_key: str) -> bool:
        """Forget a site of this tenant; False when it has none of that key."""
        ...

    async def add_signing_key(self, key: SigningKey) -> bool:
        """Remember the next generation; False when somebody else has made it first."""
        ...

    async def signing_keys(self) -> list[SigningKey]:
        """All generations that are kept, newest first."""
        ...

    async def drop_signing_key(self, kid: str) -> bool:
        """Forget one that must not be trusted any more; False when there is none by that id."""
        ...

    async def drop_signing_keys(self, before: float) -> None:
        """Forget those made earlier."""
        ...
