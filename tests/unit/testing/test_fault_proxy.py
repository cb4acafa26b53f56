"""The fault proxy does to a connection what a bad network does, and nothing else."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from parley.testing.fault_proxy import FaultProxy, fault_proxy

SHORT = 0.15  # seconds in which nothing may arrive


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """In front of a server that says again whatever it hears."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, fault_proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


async def a_client(proxy: FaultProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def says_nothing(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(SHORT):
            return await reader.read(1) == b"never"
    except TimeoutError:
        return True


async def test_bytes_pass_both_ways_in_order(proxy: FaultProxy) -> None:
    reader, writer = await a_client(proxy)
    data = bytes(range(256)) * 4000
    writer.write(data)
    assert await reader.readexactly(len(data)) == data
    assert proxy.connections == 1
    writer.close()


async def test_a_client_that_closes_ends_the_servers_side_too(proxy: FaultProxy) -> None:
    reader, writer = await a_client(proxy)
    writer.write("再见".encode())
    writer.write_eof()
    assert (await reader.read())[:6] in ("再见".encode(), b"")
    async with asyncio.timeout(2):
        while proxy.connections:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)


async def test_a_cut_resets_what_is_open_and_lets_new_ones_in(proxy: FaultProxy) -> None:
    reader, writer = await a_client(proxy)
    writer.write(b"x")
    await reader.readexactly(1)
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    reader, writer = await a_client(proxy)
    writer.write(b"y")
    assert await reader.readexactly(1) == b"y"


async def test_whoever_comes_is_reset_until_it_heals(proxy: FaultProxy) -> None:
    proxy.refuse()
    reader, _ = await a_client(proxy)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    proxy.heal()
    reader, writer = await a_client(proxy)
    writer.write(b"y")
    assert await reader.readexactly(1) == b"y"


@pytest.mark.parametrize("direction", ["up", "down", ""])
async def test_what_is_frozen_arrives_after_it_heals(proxy: FaultProxy, direction: str) -> None:
    reader, writer = await a_client(proxy)
    proxy.freeze(*filter(None, [direction]))
    writer.write("冻结".encode())
    assert await says_nothing(reader)
    proxy.heal()
    assert await reader.readexactly(6) == "冻结".encode()


async def test_what_was_frozen_and_then_cut_never_arrives(proxy: FaultProxy) -> None:
    reader, writer = await a_client(proxy)
    proxy.freeze("down")
    writer.write(b"ack?")
    assert await says_nothing(reader)
    proxy.cut()
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)


async def test_half_open_the_client_is_never_told(proxy: FaultProxy) -> None:
    reader, writer = await a_client(proxy)
    writer.write(b"x")
    await reader.readexactly(1)
    proxy.half_open()
    writer.write(b"is anybody there?")
    assert await says_nothing(reader)
    assert not writer.is_closing()


async def test_latency_is_added_each_way(proxy: FaultProxy) -> None:
    proxy.latency = 0.1
    reader, writer = await a_client(proxy)
    began = asyncio.get_running_loop().time()
    writer.write(b"x")
    await reader.readexactly(1)
    assert asyncio.get_running_loop().time() - began >= 0.19


async def test_a_slow_way_takes_its_time(proxy: FaultProxy) -> None:
    proxy.bytes_per_second = 10_000
    reader, writer = await a_client(proxy)
    began = asyncio.get_running_loop().time()
    writer.write(bytes(1000))
    await reader.readexactly(1000)
    assert asyncio.get_running_loop().time() - began >= 0.19


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("amqp://guest:guest@127.0.0.1:5672/v", "amqp://guest:guest@127.0.0.1:"),
        ("mongodb://db:27017/parley?w=1", "mongodb://127.0.0.1:"),
    ],
)
async def test_a_url_leads_through_it(proxy: FaultProxy, url: str, start: str) -> None:
    way = proxy.through(url)
    assert way.startswith(f"{start}{proxy.port}/")
    assert way.rsplit("/", 1)[1] == url.rsplit("/", 1)[1]
