"""What alerts and dashboards ask of the broker, a real one with the stack's own configuration answers."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from deploy.checks.names import BROKER_METRICS, ROOT
from parley.bus.open import open_bus
from parley.bus.queues import durable_queues
from parley.testing.servers.ports import free_port
from parley.testing.servers.rabbitmq import Ports, RabbitNode

CONFIGURATION = ROOT / "deploy/rabbitmq"

pytestmark = pytest.mark.connected


async def test_the_broker_counts_messages_and_readers_of_each_queue(tmp_path: Path) -> None:
    node = RabbitNode(tmp_path, Ports(free_port(), free_port(), free_port(), free_port()))
    port = free_port()
    (tmp_path / "node/enabled_plugins").write_text((CONFIGURATION / "enabled_plugins").read_text())
    with (tmp_path / "node/rabbitmq.conf").open("a") as conf:
        conf.write((CONFIGURATION / "rabbitmq.conf").read_text())
        conf.write(f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {port}\n")
    declared = durable_queues(2)
    queues = {queue.name for queue in declared}
    try:
        await node.process.start()
        async with open_bus(node.url, service="test", replica="test") as bus:
            await bus.apply_topology(declared)
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as client:
            told = ""
            while counted(told, "messages") != queues or counted(told, "consumers") != queues:
                told = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
                await asyncio.sleep(0.2)
    finally:
        await node.process.stop()
        node.end_epmd()
    assert {"rabbitmq_queue_messages", "rabbitmq_queue_consumers"} == BROKER_METRICS


def counted(told: str, what: str) -> set[str]:
    """The queues for which the broker gives this number, which is 0 here."""
    return set(re.findall(rf'^rabbitmq_queue_{what}{{.*queue="([^"]+)".*}} 0$', told, re.MULTILINE))
