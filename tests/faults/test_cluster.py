"""Three RabbitMQ nodes: the one that leads every quorum queue is killed while visitors write."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from parley.bus.open import open_bus
from parley.bus.queues import durable_queues
from parley.testing.servers.rabbitmq import RabbitCluster, RabbitNode, rabbit_cluster
from tests.faults.desk import BROKER_SECONDS, MARKS, SECONDS, a_desk, judged

pytestmark = MARKS
SHARDS = 16


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cluster() -> AsyncIterator[RabbitCluster]:
    """Whoever declares a queue leads it: the second node leads all of them, and services speak to the first."""
    async with rabbit_cluster(3) as nodes:
        async with open_bus(nodes.nodes[1].url, service="faults", replica="setup") as bus:
            await bus.apply_topology(durable_queues(SHARDS))
        yield nodes


async def killed_leader(cluster: RabbitCluster, queue: str) -> RabbitNode:
    leader = await asyncio.to_thread(cluster.leader, queue)
    assert leader is not cluster.nodes[0], "services speak to the first node: another one must lead"
    leader.process.kill()
    return leader


async def back_again(cluster: RabbitCluster, node: RabbitNode) -> None:
    await node.process.start()
    await asyncio.to_thread(cluster.await_online, len(cluster.nodes))


async def test_killing_the_leader_of_every_queue_loses_doubles_and_shuffles_nothing(cluster: RabbitCluster) -> None:
    async with a_desk(given=cluster.nodes[0]) as desk:

        async def fault() -> None:
            await asyncio.sleep(SECONDS / 4)
            desk.over("leader killed")
            killed = await killed_leader(cluster, "sessions.00")
            await desk.until_served(30)
            await back_again(cluster, killed)

        verdict = judged("R01", "cluster of three: leader of all queues killed", await desk.under_load(fault))
        print(f"publishes nacked and tried again: {desk.services.logs().count('publish.refused')}")
    assert verdict.broken() == {}
    assert verdict.everyone_s <= BROKER_SECONDS
