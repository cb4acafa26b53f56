"""The histories of all tenants, read on from the store whenever somebody asks: never behind what is stored."""

import asyncio
from collections import defaultdict

from parley_knowledge.releases import History
from parley_knowledge.store import DocumentStore


class Annals:
    """Reads each release once."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self._histories: dict[str, History] = defaultdict(History)
        self._reading: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, tenant: str) -> History:
        """The tenant's history as of now. Raises Unavailable."""
        async with self._reading[tenant]:
            history = self._histories[tenant]
            for release in await self._store.releases(tenant, history.number):
                history.apply(release)
            return history
