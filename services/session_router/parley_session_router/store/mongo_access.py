"""Tenants, keys and sites in MongoDB. It is here and not in `access`, since motor is met in `store/mongo*` only."""

from contextlib import suppress
from dataclasses import asdict
from typing import Any

from pymongo.errors import DuplicateKeyError

from parley.core import Conflict
from parley.database.mongo import Index, MongoDatabase, reachable
from parley_session_router.access.records import ApiKey, SigningKey, Site, StoredKey, Tenant

Document = dict[str, Any]

TENANTS = "tenants"
KEYS = "api_keys"
SITES = "sites"
SIGNING_KEYS = "signing_keys"


class MongoAccess:
    """See `AccessStore`. Ids are `_id`, so every rule about "once" is its uniqueness."""

    def __init__(self, database: MongoDatabase) -> None:
        self._tenants = database.collection(TENANTS)
        self._keys = database.collection(KEYS)
        self._sites = database.collection(SITES)
        self._signing = database.collection(SIGNING_KEYS)

    async def put_tenant(self, tenant: Tenant) -> None:
        """Insert or leave alone."""
        await self._insert(self._tenants, tenant.tenant_id, asdict(tenant))

    async def add_key(self, stored: StoredKey) -> None:
        """Raises Conflict when the key id is taken, which 60 random bits do not let happen."""
        document = asdict(stored.key) | {"secret_hash": stored.secret_hash}
        if not await self._insert(self._keys, stored.key.key_id, document):
            raise Conflict(f"there is a key {stored.key.key_id} already; try again")

    async def find_key(self, key_id: str) -> StoredKey | None:
        """By `_id`."""
        found = await self._find(self._keys, {"_id": key_id})
        return _key(found[0]) if found else None

    async def list_keys(self, tenant_id: str) -> list[StoredKey]:
        """By the index of (tenant, created)."""
        found = await self._find(self._keys, {"tenant_id": tenant_id}, sort=[("created_at", 1), ("key_id", 1)])
        return [_key(document) for document in found]

    async def revoke_key(self, tenant_id: str, key_id: str, at: float) -> bool:
        """Only the first time counts."""
        query = {"_id": key_id, "tenant_id": tenant_id, "revoked_at": None}
        with reachable():
            updated = await self._keys.update_one(query, {"$set": {"revoked_at": at}})
        return bool(updated.matched_count)

    async def put_site(self, site: Site) -> bool:
        """Insert, or update where the tenant is the same."""
        if await self._insert(self._sites, site.site_key, asdict(site)):
            return True
        query = {"_id": site.site_key, "tenant_id": site.tenant_id}
        with reachable():
            updated = await self._sites.update_one(query, {"$set": {"origins": list(site.origins)}})
        return bool(updated.matched_count)

    async def find_site(self, site_key: str) -> Site | None:
        """By `_id`."""
        found = await self._find(self._sites, {"_id": site_key})
        return _site(found[0]) if found else None

    async def list_sites(self) -> list[Site]:
        """All of them, in the order of their keys."""
        return [_site(document) for document in await self._find(self._sites, {}, sort=[("_id", 1)])]

    async def drop_site(self, tenant_id: str, site_key: str) -> bool:
        """By id, if it is this tenant's."""
        with reachable():
            dropped = await self._sites.delete_one({"_id": site_key, "tenant_id": tenant_id})
        return bool(dropped.deleted_count)

    async def add_signing_key(self, key: SigningKey) -> bool:
        """The generation is `_id`."""
        return await self._insert(self._signing, key.generation, asdict(key))

    async def signing_keys(self) -> list[SigningKey]:
        """Newest first."""
        found = await self._find(self._signing, {}, sort=[("_id", -1)])
        return [SigningKey(**_without_id(document)) for document in found]

    async def drop_signing_key(self, kid: str) -> bool:
        """There are few."""
        with reachable():
            dropped = await self._signing.delete_one({"kid": kid})
        return bool(dropped.deleted_count)

    async def drop_signing_keys(self, before: float) -> None:
        """By age."""
        with reachable():
            await self._signing.delete_many({"created_at": {"$lt": before}})

    async def _insert(self, collection: Any, own: str | int, document: Document) -> bool:
        """False when there is one already."""
        with reachable(), suppress(DuplicateKeyError):
            await collection.insert_one({"_id": own, **document})
            return True
        return False

    async def _find(self, collection: Any, query: Document, **options: Any) -> list[Document]:
        with reachable():
            found: list[Document] = await collection.find(query, **options).to_list(None)
            return found


def _without_id(document: Document) -> Document:
    return {name: value for name, value in document.items() if name != "_id"}


def _key(document: Document) -> StoredKey:
    fields = _without_id(document)
    secret_hash = fields.pop("secret_hash")
    return StoredKey(ApiKey(**fields | {"scopes": tuple(fields["scopes"])}), secret_hash)


def _site(document: Document) -> Site:
    fields = _without_id(document)
    return Site(**fields | {"origins": tuple(fields["origins"])})


async def open_mongo_access(database: MongoDatabase) -> MongoAccess:
    """A store with its indexes made."""
    await database.ensure_indexes(KEYS, (Index(("tenant_id", "created_at")),))
    return MongoAccess(database)
