"""Limits, proxies and pings, each over real connections and every transport."""

import asyncio
import socket as sockets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.flow.house import House, a_house
from tests.flow.people import ZH, a_visitor, answered
from tests.flow.test_http_realtime import a_listener, a_poller
from tests.flow.test_socket_io import a_sio


@pytest.fixture(scope="module")
def strict() -> Iterator[House]:
    """Behind a proxy that it trusts, with short pings and small limits."""
    limits = {
        "PARLEY_GATEWAY_TRUSTED_PROXIES": "127.0.0.1",
        "PARLEY_GATEWAY_NEWCOMERS_PER_SECOND": "0.001",
        "PARLEY_GATEWAY_NEWCOMERS_BURST": "2",
        "PARLEY_GATEWAY_TENANT_MESSAGES_PER_SECOND": "0.01",
        "PARLEY_GATEWAY_TENANT_MESSAGES_BURST": "5",
        "PARLEY_GATEWAY_PING_SECONDS": "1",
        "PARLEY_GATEWAY_QUEUE_FRAMES": "16",
    }
    with a_house(**limits) as house:
        yield house


async def newcomer(house: House, address: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=house.url) as http:
        headers = {"x-forwarded-for": address}
        return await http.post("/v1/visitor-tokens", json={"site_key": "demo"}, headers=headers)


async def test_behind_a_trusted_proxy_each_address_has_its_own_limit(strict: House) -> None:
    for address in ("203.0.113.1", "203.0.113.2"):
        assert [(await newcomer(strict, address)).status_code for _ in range(3)] == [201, 201, 429]
    refused = await newcomer(strict, "6.6.6.6, 203.0.113.1")  # what stands before the last hop is hearsay
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


async def test_every_transport_is_pinged_with_the_head_and_the_tenants_rate_holds_for_all(strict: House) -> None:
    mine: dict[str, Any] = (await newcomer(strict, "203.0.113.9")).json()["data"]
    hello = {"token": mine["token"]}
    async with a_visitor(strict, hello) as tab, a_poller(strict, **hello) as poller, a_sio(strict, **hello) as sio:
        async with a_listener(poller) as stream:
            await answered(tab, ZH)
            for pinged in (tab.until("ping"), stream.until("ping"), sio.until("ping")):
                (place,) = (await pinged)["streams"]
                assert place["id"] == mine["session_id"]
        codes = [(await poller.post({"send": {"client_msg_id": f"c-{n}", "text": "快"}})).status_code for n in range(6)]
        assert codes == [201, 201, 201, 201, 429, 429]
        await tab.say("快", "c-9")
        error = await tab.until("error")
        assert (error["code"], error["client_msg_id"], error["retry_after_ms"] > 1000) == ("rate_limited", "c-9", True)
        assert (await sio.say("快", "c-10"))["error"]["code"] == "rate_limited"


@pytest.mark.slow
async def test_a_stream_that_nobody_reads_is_dropped_and_others_go_on() -> None:
    with a_house(PARLEY_GATEWAY_MESSAGES_BURST="1000", PARLEY_GATEWAY_QUEUE_FRAMES="16") as house:
        async with a_poller(house) as poller:
            stuck = sockets.socket()
            stuck.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
            stuck.connect(("127.0.0.1", house.port))
            head = f"GET /v1/rt/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {poller.token}\r\n\r\n"
            stuck.sendall(head.encode())
            for n in range(300):
                await poller.say("字" * 8000, f"c-{n}")
                if n % 10 == 9 and not await listening(house):
                    break
            async with asyncio.timeout(15):
                while await listening(house):  # noqa: ASYNC110 - another process' state has no event
                    await asyncio.sleep(0.05)
            stuck.close()
            async with a_listener(poller, **{"last-event-id": f"1:{n - 2}"}) as back:
                assert (await back.until("welcome"))["streams"][0]["recovered"]
                await back.until("message")
                assert back.seqs[0] == n - 1


async def listening(house: House) -> int:
    _, text = await asyncio.to_thread(house.get, "/metrics")
    lines = [line for line in text.decode().splitlines() if line.startswith("parley_gateway_connections{")]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if '"sse"' in line)
