"""The private servers that connected tests run on."""

import asyncio
from pathlib import Path

import aio_pika
import pytest
from pamqp.common import Arguments
from pymongo import AsyncMongoClient

from parley.core import ParleyError
from parley.testing.servers import RabbitMQ, ServerMissing, ServerProcess, free_port, mongodb, redis
from parley.testing.servers.mongodb import build
from parley.testing.servers.ports import answers
from parley.testing.servers.rabbitmq import rabbit_node

QUORUM: Arguments = {"x-queue-type": "quorum"}


@pytest.mark.connected
async def test_a_virtual_host_of_one_test_takes_a_message_and_hides_it_from_the_next(
    rabbitmq: RabbitMQ, bus_url: str
) -> None:
    other = await rabbitmq.add_vhost("其他")
    async with await aio_pika.connect(bus_url) as mine, await aio_pika.connect(other) as theirs:
        channel = await mine.channel()
        queue = await channel.declare_queue("q", durable=True, arguments=QUORUM)
        await channel.default_exchange.publish(aio_pika.Message("退款".encode()), "q")
        message = await queue.get(timeout=10)
        assert message is not None
        assert message.body.decode() == "退款"
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await (await theirs.channel()).get_queue("q", ensure=True)
    await rabbitmq.delete_vhost("其他")


@pytest.mark.connected
async def test_a_database_of_one_test_is_another_one_than_the_next_tests(database_url: str) -> None:
    async with AsyncMongoClient[dict[str, object]](database_url) as client:
        await client.get_default_database()["s"].insert_one({"_id": "一", "n": 1})
        assert await client.get_database("elsewhere")["s"].count_documents({}) == 0
        assert await client.get_default_database()["s"].count_documents({}) == 1


@pytest.mark.connected
@pytest.mark.faults
async def test_a_node_that_is_killed_and_started_again_has_its_durable_messages() -> None:
    async with rabbit_node() as node:
        async with await aio_pika.connect(node.url) as connection:
            await (await connection.channel()).declare_queue("q", durable=True, arguments=QUORUM)
        # RabbitMQ 3.10 writes a new quorum queue's name down some time later: killed before that, the queue hangs for
        # good. After an orderly end it is written.
        await node.restart()
        async with await aio_pika.connect(node.url) as connection:
            channel = await connection.channel()
            await channel.default_exchange.publish(aio_pika.Message("退款".encode()), "q")
        before = node.process.pid
        node.process.kill()
        assert not await answers(node.ports.amqp)
        await node.process.start()
        assert node.process.pid != before
        assert node.ctl("list_queues", "--silent", "name").split() == ["q"]
        async with await aio_pika.connect(node.url) as connection:
            queue = await (await connection.channel()).get_queue("q")
            async with asyncio.timeout(30), queue.iterator() as messages:
                assert (await anext(messages)).body == "退款".encode()


@pytest.mark.connected
@pytest.mark.faults
async def test_a_durable_database_that_is_stopped_and_started_has_its_documents() -> None:
    async with mongodb(durable=True) as server:
        async with AsyncMongoClient[dict[str, object]](server.database("d")) as client:
            await client.get_default_database()["s"].insert_one({"_id": 1})
        await server.process.stop()
        await server.process.start()
        async with AsyncMongoClient[dict[str, object]](server.database("d")) as client:
            assert await client.get_default_database()["s"].count_documents({}) == 1


@pytest.mark.connected
async def test_a_frozen_redis_says_nothing_until_it_thaws() -> None:
    async with redis() as server:
        port = int(server.url.rsplit(":", 1)[1].split("/")[0])
        server.process.freeze()
        asking = asyncio.create_task(answers(port, say=b"PING\r\n", hear=b"+PONG"))
        assert not (await asyncio.wait({asking}, timeout=0.1))[0]
        server.process.thaw()
        assert await asking


async def test_a_server_that_ends_at_once_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo 磁盘已满; exit 3"]
    process = ServerProcess(command, log=tmp_path / "out", ready=lambda: answers(free_port()), env=None)
    with pytest.raises(ParleyError, match="ended with 3: 磁盘已满"):
        await process.start()


async def test_a_missing_java_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ServerMissing, match="apt-get install maven default-jdk-headless"):
        build.java()
