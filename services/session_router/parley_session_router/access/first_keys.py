"""What a fresh installation needs to be used at all: an operator's key in a file, and the demo's tenant and site."""

import asyncio
import os
from pathlib import Path

from parley.core import SettingsError
from parley_session_router.access.door import Access
from parley_session_router.access.errors import Unauthenticated
from parley_session_router.access.records import DEMO_SITE, DEMO_TENANT, SCOPES, ApiKey

KEY_FILE = "operator.key"
NAME = "operator"


async def ensure_demo(access: Access, home: Path) -> ApiKey:
    """The tenant and site key `demo`, and the demo operator's key. Raises SettingsError, Unavailable."""
    await access.put_site(DEMO_TENANT, site_key=DEMO_SITE)
    return await ensure_operator_key(access, home, DEMO_TENANT)


async def ensure_operator_key(access: Access, home: Path, tenant_id: str) -> ApiKey:
    """A key for everything in `home`/operator.key (mode 600), made once.

    When the file is lost or its key no longer good, a new one is made and the old ones are revoked. Raises
    SettingsError when the file cannot be written.
    """
    path = home / KEY_FILE
    try:
        key = await access.resolve_key(await asyncio.to_thread(_read, path))
        if key.tenant_id == tenant_id and set(key.scopes) == set(SCOPES):
            return key
    except Unauthenticated:
        pass
    for old in await access.list_keys(tenant_id):
        if old.name == NAME and old.revoked_at is None:
            await access.revoke_key(tenant_id, old.key_id)
    key, text = await access.create_key(tenant_id, NAME, SCOPES)
    await asyncio.to_thread(_write, path, text)
    return key


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({error}); mend it or remove it") from error


def _write(path: Path, text: str) -> None:
    """Never, not even for a moment, readable by others."""
    fresh = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        fresh.replace(path)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written ({error.strerror}); set PARLEY_HOME to a folder of ours"
        ) from error
