"""One suite for every adapter: `url` names a fresh database of each kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parley_session_router.access import AccessStore, open_access
from parley_session_router.store import SessionStore, open_store


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / '数据' / 'parley.db'}"


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.connected)])
def url(request: pytest.FixtureRequest) -> str:
    name = "sqlite_url" if request.param == "sqlite" else "database_url"
    found: str = request.getfixturevalue(name)
    return found


@pytest.fixture
async def store(url: str) -> AsyncIterator[SessionStore]:
    async with open_store(url) as opened:
        yield opened


@pytest.fixture
async def access_store(url: str) -> AsyncIterator[AccessStore]:
    async with open_access(url) as opened:
        yield opened
