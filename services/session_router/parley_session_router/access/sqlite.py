"""Tenants, keys and sites in the SQLite file."""

import sqlite3
from pathlib import Path
from typing import Any

from parley.database import SqliteDatabase
from parley_session_router.access.records import ApiKey, SigningKey, Site, StoredKey, Tenant

MIGRATIONS = Path(__file__).parent / "migrations"
_KEY = "key_id, tenant_id, name, scopes, created_at, expires_at, revoked_at, secret_hash"
_SITE = "site_key, tenant_id, origins, created_at"
_SIGNING = "generation, kid, private_pem, public_pem, created_at"


class SqliteAccess:
    """See `AccessStore`."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def put_tenant(self, tenant: Tenant) -> None:
        """Insert or leave alone."""
        await self._write("INSERT OR IGNORE INTO tenants VALUES (?, ?)", tenant.tenant_id, tenant.created_at)

    async def add_key(self, stored: StoredKey) -> None:
        """Raises Conflict when the key id is taken, which 60 random bits do not let happen."""
        key = stored.key
        await self._write(
            f"INSERT INTO api_keys ({_KEY}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            *(key.key_id, key.tenant_id, key.name, " ".join(key.scopes)),
            *(key.created_at, key.expires_at, key.revoked_at, stored.secret_hash),
        )

    async def find_key(self, key_id: str) -> StoredKey | None:
        """By primary key."""
        rows = await self._read(f"SELECT {_KEY} FROM api_keys WHERE key_id = ?", key_id)  # noqa: S608
        return _key(rows[0]) if rows else None

    async def list_keys(self, tenant_id: str) -> list[StoredKey]:
        """By the index of (tenant, created)."""
        statement = f"SELECT {_KEY} FROM api_keys WHERE tenant_id = ? ORDER BY created_at, key_id"  # noqa: S608
        return [_key(row) for row in await self._read(statement, tenant_id)]

    async def revoke_key(self, tenant_id: str, key_id: str, at: float) -> bool:
        """Only the first time counts."""
        statement = "UPDATE api_keys SET revoked_at = ? WHERE tenant_id = ? AND key_id = ? AND revoked_at IS NULL"
        return await self._write(statement, at, tenant_id, key_id) == 1

    async def put_site(self, site: Site) -> bool:
        """Insert, or update where the tenant is the same."""
        statement = (
            f"INSERT INTO sites ({_SITE}) VALUES (?, ?, ?, ?) "  # noqa: S608
            "ON CONFLICT (site_key) DO UPDATE SET origins = excluded.origins WHERE tenant_id = excluded.tenant_id"
        )
        return await self._write(statement, site.site_key, site.tenant_id, " ".join(site.origins), site.created_at) == 1

    async def find_site(self, site_key: str) -> Site | None:
        """By primary key."""
        rows = await self._read(f"SELECT {_SITE} FROM sites WHERE site_key = ?", site_key)  # noqa: S608
        return _site(rows[0]) if rows else None

    async def list_sites(self) -> list[Site]:
        """All of them, in the order of their keys."""
        return [_site(row) for row in await self._read(f"SELECT {_SITE} FROM sites ORDER BY site_key")]  # noqa: S608

    async def drop_site(self, tenant_id: str, site_key: str) -> bool:
        """By primary key, if it is this tenant's."""
        return await self._write("DELETE FROM sites WHERE site_key = ? AND tenant_id = ?", site_key, tenant_id) == 1

    async def add_signing_key(self, key: SigningKey) -> bool:
        """The generation is the primary key."""
        statement = f"INSERT OR IGNORE INTO signing_keys ({_SIGNING}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608
        values = (key.generation, key.kid, key.private_pem, key.public_pem, key.created_at)
        return await self._write(statement, *values) == 1

    async def signing_keys(self) -> list[SigningKey]:
        """Newest first."""
        rows = await self._read(f"SELECT {_SIGNING} FROM signing_keys ORDER BY generation DESC")  # noqa: S608
        return [SigningKey(*row) for row in rows]

    async def drop_signing_key(self, kid: str) -> bool:
        """There are few."""
        return await self._write("DELETE FROM signing_keys WHERE kid = ?", kid) == 1

    async def drop_signing_keys(self, before: float) -> None:
        """By age."""
        await self._write("DELETE FROM signing_keys WHERE created_at < ?", before)

    async def _write(self, statement: str, *values: object) -> int:
        def run(connection: sqlite3.Connection) -> int:
            return connection.execute(statement, values).rowcount

        return await self._database.write(run)

    async def _read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return await self._database.read(lambda connection: connection.execute(statement, values).fetchall())


def _key(row: tuple[Any, ...]) -> StoredKey:
    key_id, tenant_id, name, scopes, created_at, expires_at, revoked_at, secret_hash = row
    return StoredKey(
        ApiKey(key_id, tenant_id, name, tuple(scopes.split()), created_at, expires_at, revoked_at), secret_hash
    )


def _site(row: tuple[Any, ...]) -> Site:
    site_key, tenant_id, origins, created_at = row
    return Site(site_key, tenant_id, tuple(origins.split()), created_at)
