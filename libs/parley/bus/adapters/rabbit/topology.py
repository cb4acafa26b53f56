"""Exchanges, queues and bindings on RabbitMQ: declared in one place, compared everywhere, never repaired in passing."""

import re
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelClosed, ChannelNotFoundEntity, ChannelPreconditionFailed

from parley.bus.events import Event
from parley.bus.queues import DEAD_EXCHANGE, EXCHANGES, Kind, Queue, sessions
from parley.core import Conflict

DEAD_MAX_LENGTH = 1_000_000
UNLIMITED = 1_000_000_000  # looking at a dead letter counts as a delivery, and RabbitMQ 4 drops after 20 by default
PRIVATE_MAX_LENGTH = 20_000


def arguments_of(queue: Queue[Event]) -> dict[str, Any]:
    """The arguments that a queue is declared with."""
    if queue.kind is Kind.PRIVATE:
        return {"x-max-length": min(queue.max_length, PRIVATE_MAX_LENGTH), "x-overflow": "drop-head"}
    arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
    if queue.kind is Kind.DEAD:
        return {**arguments, "x-max-length": DEAD_MAX_LENGTH, "x-delivery-limit": UNLIMITED}
    arguments |= {
        "x-max-length": queue.max_length,
        "x-delivery-limit": queue.delivery_limit,
        "x-dead-letter-exchange": DEAD_EXCHANGE.name,
        "x-dead-letter-strategy": "at-least-once",
    }
    if queue.kind is Kind.SHARD:
        arguments["x-single-active-consumer"] = True
    return arguments


async def apply(connection: AbstractConnection, queues: list[Queue[Event]]) -> list[str]:
    """Declare what is missing; returns what was made. Raises Conflict naming the first queue that differs."""
    made = []
    for exchange in EXCHANGES:
        try:
            async with connection.channel() as channel:
                await channel.declare_exchange(exchange.name, ExchangeType.TOPIC, durable=True)
        except ChannelPreconditionFailed as error:
            raise Conflict(f"exchange {exchange.name} differs: {error}; delete it and apply again") from None
    for queue in queues:
        existed = await _exists(connection, queue.name)
        try:
            async with connection.channel() as channel:
                declared = await channel.declare_queue(queue.name, durable=True, arguments=arguments_of(queue))
                for binding in queue.bindings:
                    await declared.bind(binding.exchange.name, binding.key)
        except ChannelPreconditionFailed as error:
            raise Conflict(_differs(queue, error)) from None
        if not existed:
            made.append(f"queue {queue.name}")
    return made


async def check(connection: AbstractConnection, queues: list[Queue[Event]]) -> list[str]:
    """What is missing or differs, one sentence each. Changes nothing."""
    problems = [
        f"exchange {exchange.name} is missing; run `parley topology apply`"
        for exchange in EXCHANGES
        if not await _exchange_exists(connection, exchange.name)
    ]
    problems += [problem for queue in queues if (problem := await _problem(connection, queue))]
    shards = sum(queue.kind is Kind.SHARD for queue in queues)
    if shards and await _exists(connection, sessions(shards).name):
        problems.append(
            f"the broker has a queue {sessions(shards).name}, so it was set up for more than {shards} shards; "
            "set PARLEY_SHARDS to the number it was installed with"
        )
    return problems


async def _problem(connection: AbstractConnection, queue: Queue[Event]) -> str:
    if not await _exists(connection, queue.name):
        return f"queue {queue.name} is missing; run `parley topology apply`"
    try:
        # It exists, so declaring it again changes nothing: the broker only says whether the arguments are the same.
        async with connection.channel() as channel:
            await channel.declare_queue(queue.name, durable=True, arguments=arguments_of(queue))
    except ChannelPreconditionFailed as error:
        return _differs(queue, error)
    return ""


async def _exists(connection: AbstractConnection, name: str) -> bool:
    try:
        async with connection.channel() as channel:
            await channel.declare_queue(name, passive=True)
    except (ChannelNotFoundEntity, ChannelClosed):
        return False
    return True


async def _exchange_exists(connection: AbstractConnection, name: str) -> bool:
    try:
        async with connection.channel() as channel:
            await channel.get_exchange(name, ensure=True)
    except (ChannelNotFoundEntity, ChannelClosed):
        return False
    return True


def _differs(queue: Queue[Event], error: Exception) -> str:
    found = re.search(r"inequivalent arg '([^']+)'.*?received (.*?) but current is (.*?)['\"]?$", str(error))
    what = f"{found[1]} should be {found[2]}, is {found[3]}" if found else str(error)
    return (
        f"queue {queue.name} differs: {what}; stop its publishers, let it drain, delete it, "
        "then run `parley topology apply`"
    )
