"""Real servers, one of each per run and started by the first test that asks; each test has its own corner of them."""

from collections.abc import AsyncIterator

import pytest_asyncio
from hypothesis import settings
from pymongo import AsyncMongoClient

from parley.core import new_id
from parley.testing.servers import MongoDB, RabbitMQ
from parley.testing.servers import mongodb as mongodb_server
from parley.testing.servers import rabbitmq as rabbitmq_server

# The same examples every time: a test that fails fails for everybody. A machine's speed is no failure.
settings.register_profile("parley", derandomize=True, deadline=None)
settings.load_profile("parley")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rabbitmq() -> AsyncIterator[RabbitMQ]:
    """A broker for the whole run: `.url`, virtual hosts, the management API."""
    async with rabbitmq_server() as broker:
        yield broker


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mongodb() -> AsyncIterator[MongoDB]:
    """A MongoDB-protocol server for the whole run: `.url`, `.database(name)`."""
    async with mongodb_server() as server:
        yield server


@pytest_asyncio.fixture
async def bus_url(rabbitmq: RabbitMQ) -> AsyncIterator[str]:
    """A virtual host of this test alone."""
    name = f"test-{new_id('v')}"
    yield await rabbitmq.add_vhost(name)
    await rabbitmq.delete_vhost(name)


@pytest_asyncio.fixture
async def database_url(mongodb: MongoDB) -> AsyncIterator[str]:
    """A database of this test alone."""
    name = f"test_{new_id('d')}"
    yield mongodb.database(name)
    async with AsyncMongoClient[dict[str, object]](mongodb.url) as client:
        await client.drop_database(name)
