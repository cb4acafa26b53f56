"""Servers that the tester brings along; what is not named is started privately."""

from typing import ClassVar

from pydantic import Field

from parley.core import Settings


class GivenServers(Settings):
    """Read from `PARLEY_TEST_*`; empty means: start a private one."""

    prefix: ClassVar[str] = "PARLEY_TEST_"

    bus_url: str = Field("", pattern=r"^(|amqps?://.+)$", description="amqp://user:pass@host/ of a RabbitMQ for tests")
    bus_management_url: str = Field(
        "", pattern=r"^(|https?://.+)$", description="http://host:15672, the management API of that RabbitMQ"
    )
    database_url: str = Field("", pattern=r"^(|mongodb://.+)$", description="mongodb://host:port of a server for tests")
    redis_url: str = Field("", pattern=r"^(|redis://.+)$", description="redis://host:port/ of a server for tests")
