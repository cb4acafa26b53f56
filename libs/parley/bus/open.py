"""Open the bus that a URL names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from parley.bus.port import Bus
from parley.core import SettingsError


@asynccontextmanager
async def open_bus(url: str, *, service: str, replica: str) -> AsyncIterator[Bus]:
    """A connection in the name of one replica of a service. Raises SettingsError for a URL that names no bus."""
    producer = f"{service}-{replica}"
    if url.startswith("memory:"):
        from parley.bus.adapters.memory import open_memory_bus  # noqa: PLC0415 - only the adapter in use is loaded

        async with open_memory_bus(url, producer) as memory:
            yield memory
    elif url.startswith(("amqp://", "amqps://")):
        from parley.bus.adapters.rabbit import open_rabbit_bus  # noqa: PLC0415 - as above

        async with open_rabbit_bus(url, producer) as rabbit:
            yield rabbit
    else:
        raise SettingsError(
            f'PARLEY_BUS_URL is "{url.split(":", maxsplit=1)[0]}"; expected memory: or amqp://user:pass@host/'
        )
