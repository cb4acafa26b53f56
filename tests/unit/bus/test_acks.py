"""Acknowledgements reach the broker in an order that it accepts, whatever order events are settled in."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any

from parley.bus import Delivery
from parley.bus.adapters.rabbit.channel_life import ChannelLife
from parley.bus.queues import sessions
from parley.contracts.v1 import Batch
from parley.testing.builders import a_message_received


class Broker:
    """A channel that takes its time over each ack, and refuses one for a tag that it does not wait for any more."""

    def __init__(self, messages: int) -> None:
        self.open = set(range(1, messages + 1))
        self.refused: list[int] = []

    async def basic_ack(self, tag: int, *, multiple: bool, wait: bool) -> None:
        await asyncio.sleep(0)
        if tag not in self.open:
            self.refused.append(tag)
        self.open -= {other for other in self.open if other <= tag} if multiple else {tag}


def a_message(tag: int) -> Any:
    batch = Batch()
    batch.events.add(type="MessageReceived", payload=a_message_received(f"第 {tag} 条").SerializeToString())
    delivery = SimpleNamespace(delivery_tag=tag, redelivered=False, exchange="user_to_engine", routing_key="shard.00")
    header = SimpleNamespace(properties=SimpleNamespace(headers=None))
    return SimpleNamespace(delivery=delivery, header=header, body=batch.SerializeToString())


async def test_events_settled_in_any_order_are_each_acknowledged_once() -> None:
    chance = random.Random(7)
    for _ in range(20):
        broker, held = Broker(60), list[Delivery]()
        life = ChannelLife(broker, sessions(0), held.extend)
        for tag in range(1, 61):
            await life.on_message(a_message(tag))
        chance.shuffle(held)
        while held:
            for _ in range(min(len(held), chance.randrange(1, 12))):
                held.pop().settle()
            await asyncio.sleep(0)  # the next ones are settled while these are being written
        await life.flush()
        assert broker.refused == [], "an ack was overtaken by one that includes it"
        assert broker.open == set()
