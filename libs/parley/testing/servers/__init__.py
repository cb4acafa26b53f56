"""Private real servers for tests: each in a folder of its own, on free ports of 127.0.0.1, gone with its context."""

from parley.testing.servers.mongodb import MongoDB, mongodb
from parley.testing.servers.ports import free_port
from parley.testing.servers.process import ServerMissing, ServerProcess
from parley.testing.servers.rabbitmq import RabbitMQ, rabbitmq
from parley.testing.servers.redis import Redis, redis

__all__ = [
    "MongoDB",
    "RabbitMQ",
    "Redis",
    "ServerMissing",
    "ServerProcess",
    "free_port",
    "mongodb",
    "rabbitmq",
    "redis",
]
