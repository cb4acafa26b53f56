"""One stand-in model per test, on a real connection."""

from collections.abc import AsyncIterator

import pytest_asyncio

from parley.testing.model import ModelServer, model_server


@pytest_asyncio.fixture
async def stand_in() -> AsyncIterator[ModelServer]:
    """Answers `七天内可以退货。` until it is told otherwise."""
    async with model_server() as server:
        yield server
