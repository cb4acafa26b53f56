"""One suite, two adapters: each test gets a URL of its own, and opens as many connections to it as it likes."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest
import pytest_asyncio

from parley.bus import Bus, Event, Queue
from parley.bus.open import open_bus
from parley.bus.queues import DEAD, EXCHANGES, Binding, Kind
from parley.contracts.v1 import MessageReceived
from parley.core import new_id

Connect = Callable[[str], AbstractAsyncContextManager[Bus]]

TO_ENGINE = EXCHANGES[0]


def a_queue(name: str, kind: Kind = Kind.WORK, key: str = "", **limits: int) -> Queue[Event]:
    """A queue of this test's own on `user_to_engine`."""
    return Queue(name, (MessageReceived,), kind, (Binding(TO_ENGINE, key or name),), **limits)


@pytest.fixture(params=["memory", pytest.param("rabbit", marks=pytest.mark.connected)])
def url(request: pytest.FixtureRequest) -> str:
    """`memory:` or a virtual host of this test on a real RabbitMQ."""
    if request.param == "memory":
        return f"memory:{new_id('bus')}"
    return str(request.getfixturevalue("bus_url"))


@pytest_asyncio.fixture
async def bus(url: str) -> AsyncIterator[Bus]:
    """One connection, with the exchanges and the dead-letter queue in place."""
    async with open_bus(url, service="suite", replica="one") as opened:
        await opened.apply_topology([DEAD])
        yield opened


@pytest_asyncio.fixture
async def other(url: str, bus: Bus) -> AsyncIterator[Bus]:
    """A second connection to the same broker."""
    async with open_bus(url, service="suite", replica="two") as opened:
        yield opened
