"""Whatever comes through the visitors' door is answered or closed with the right code; nobody else notices."""

import asyncio
import contextlib
import json
import os
import socket as sockets
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from parley.contracts.v1 import AccessStub, CreateSiteRequest
from parley.core import new_id
from parley.service.grpc import connect as connect_grpc
from tests.flow.house import Client, House, a_house
from tests.flow.people import ZH, a_visitor, answered, ids, nothing_more, position, raw, seqs, token

JSON = "parley.v1.json"


async def closed(socket: ClientConnection, *, seconds: float = 5) -> tuple[int, list[dict[str, Any]]]:
    """The close code, and the frames before it."""
    frames: list[dict[str, Any]] = []
    async with asyncio.timeout(seconds):
        try:
            while True:
                frames.append(json.loads(await socket.recv()))
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else 1006, frames


async def still_served(desk: House) -> None:
    """Others are answered as if nothing had happened."""
    async with a_visitor(desk) as visitor:
        await answered(visitor, ZH)


# ---- before and at hello -------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocols", [(), ("parley.v2.json",), ("mqtt", "PARLEY.V1.JSON")])
async def test_an_unknown_subprotocol_is_1002(desk: House, protocols: tuple[str, ...]) -> None:
    async with raw(desk, *protocols) as socket:
        assert (await closed(socket))[0] == 1002


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "http://127.0.0.1:1",
    ],
)
async def test_only_a_site_without_origins_lets_pages_of_anywhere_in(desk: House, origin: str) -> None:
    """The demo's site names no origins, so that anybody can try it; the unit tests hold those that do."""
    async with raw(desk, JSON, origin=Origin(origin)) as socket:
        await socket.send(json.dumps({"hello": {"site_key": "demo"}}))
        assert "welcome" in json.loads(await socket.recv())


async def test_a_hello_that_does_not_come_is_4001(desk: House) -> None:
    async with raw(desk, JSON) as socket:
        assert (await closed(socket))[0] == 4001


def forged(**claims: Any) -> str:
    """A token signed by somebody else."""
    body = {"iss": "parley", "aud": "visitor", "sub": "ses_1", "tenant": "demo", "exp": time.time() + 60, **claims}
    return jwt.encode(body, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": "sig_1"})


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", 4002),
        ("{", 4002),
        ("\x00" * 100, 4002),
        ("[]", 4002),
        ('{"hello": {"token": 7}}', 4002),
        ('{"hello": {"token": {"$ne": ""}}}', 4002),
        ('{"hello": {"streams": [{"after_seq": -1}]}}', 4002),
        ("{}", 4001),
        ('{"ping": {"n": 1}}', 4001),
        ('{"send": {"client_msg_id": "1", "text": "hi"}}', 4001),
        ('{"hello": {}}', 4001),
        ('{"hello": {"token": "令牌"}}', 4001),
        ('{"hello": {"site_key": "unknown"}}', 4001),
        (json.dumps({"hello": {"token": forged()}}), 4001),
        (json.dumps({"hello": {"token": forged(exp=1)}}), 4001),
        (json.dumps({"hello": {"token": "a" * 50_000}}), 4001),
    ],
    ids=range(16),
)
async def test_a_hello_that_is_none_is_told_why_and_closed(desk: House, frame: str, code: int) -> None:
    async with raw(desk, JSON) as socket:
        await socket.send(frame)
        found, frames = await closed(socket)
        assert found == code
        assert frames[0]["error"]["message"]


async def test_an_operators_key_is_no_visitors_token(desk: House) -> None:
    async with raw(desk, JSON) as socket:
        await socket.send(json.dumps({"hello": {"token": desk.operator_key}}))
        assert (await closed(socket))[0] == 4001


# ---- frames --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text", "binary", "fragments"])
async def test_an_oversized_frame_is_1009(desk: House, kind: str) -> None:
    async with a_visitor(desk) as visitor:
        big = "x" * 70_000
        if kind == "fragments":
            await visitor.socket.send(iter([big[:35_000], big[35_000:]]))
        else:
            await visitor.socket.send(big if kind == "text" else big.encode())
        assert (await closed(visitor.socket))[0] == 1009
    await still_served(desk)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "nonsense",
        "[" * 3000,
        '{"send": "hi"}',
        '{"send": {"client_msg_id": "1", "text": {"$where": "1"}}}',
        '{"send": {"client_msg_id": "1", "text": "\\ud800"}}',
        '{"send": {"client_msg_id": "1"}, "stop": {}}',
        '{"wave": {}}',
        '{"hello": {"site_key": "demo"}}',
        b"\x00\xff\xfe",
    ],
    ids=range(10),
)
async def test_a_malformed_frame_is_answered_and_the_conversation_goes_on(desk: House, frame: str | bytes) -> None:
    async with a_visitor(desk) as visitor:
        await visitor.socket.send(frame)
        assert (await visitor.until("error"))["code"] == "bad_frame"
        await answered(visitor, ZH)


async def test_too_many_malformed_frames_are_4002(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        for _ in range(30):
            await visitor.socket.send("{")
        code, frames = await closed(visitor.socket)
        assert code == 4002
        assert len(frames) == 21


@pytest.mark.parametrize(
    ("send", "code"),
    [
        ({"text": "没有编号"}, "bad_id"),
        ({"client_msg_id": "", "text": "hi"}, "bad_id"),
        ({"client_msg_id": "x" * 129, "text": "hi"}, "bad_id"),
        ({"client_msg_id": "1"}, "empty"),
        ({"client_msg_id": "1", "text": " \n "}, "empty"),
        ({"client_msg_id": "1", "text": "长" * 8001}, "too_long"),
        ({"client_msg_id": "1", "text": "a\x00b"}, "bad_text"),
        ({"client_msg_id": "1", "media_ids": ["../../etc/passwd"]}, "no_picture"),
        ({"client_msg_id": "1", "media_ids": ["med_1"] * 11}, "too_many_pictures"),
        ({"client_msg_id": "1", "text": "hi", "stream": "ses_somebody"}, "unauthorised"),
    ],
)
async def test_what_can_never_be_a_message_is_refused_and_not_stored(
    desk: House, send: dict[str, Any], code: str
) -> None:
    async with a_visitor(desk) as visitor:
        await visitor.send({"send": send})
        error = await visitor.until("error")
        assert (error["code"], error.get("client_msg_id", "")) == (code, send.get("client_msg_id", ""))
        await visitor.say(ZH, "good")
        assert (await visitor.until("ack"))["seq"] == 1


async def test_the_longest_message_is_taken_whole(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        await visitor.say("退" * 8000, "c-1")
        await visitor.until("ack")
        session, mine = ids(visitor)
        _, page, _ = desk.call("GET", f"/v1/sessions/{session}/messages", key=mine)
        assert page["data"]["events"][0]["message"]["text"] == "退" * 8000


# ---- raw bytes -----------------------------------------------------------------------------------------------

UPGRADE = (
    b"GET /v1/rt HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: parley.v1.json\r\n\r\n"
)
HELLO = json.dumps({"hello": {"site_key": "demo"}}).encode()


def masked(opcode: int, payload: bytes, *, fin: bool = True, reserved: int = 0, mask: bool = True) -> bytes:
    """A frame as a client must write it, or as it must not."""
    head = bytes([(0x80 if fin else 0) | reserved | opcode])
    size = len(payload)
    length = bytes([size | 0x80 * mask]) if size < 126 else bytes([126 | 0x80 * mask]) + size.to_bytes(2, "big")
    key = os.urandom(4) if mask else b""
    body = bytes(b ^ key[n % 4] for n, b in enumerate(payload)) if mask else payload
    return head + length + key + body


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([masked(1, HELLO, mask=False)], 1002),
        ([masked(1, HELLO, reserved=0x40)], 1002),
        ([masked(3, b"x")], 1002),
        ([masked(0, b"a continuation of nothing")], 1002),
        ([masked(1, b"begun", fin=False), masked(1, b"begun again")], 1002),
        ([masked(9, b"x" * 126)], 1002),
        ([masked(9, b"ping", fin=False)], 1002),
        ([masked(1, b"\xff\xfe\xfd")], 1007),
        ([masked(8, b"\x03")], 1002),
        ([masked(8, (999).to_bytes(2, "big"))], 1002),
        ([b"\x81\xff" + (2**62).to_bytes(8, "big") + b"mask"], 1009),
        ([b"\x81\xff" + b"\xff" * 8 + b"mask"], 1002),
    ],
    ids=range(12),
)
async def test_frames_that_break_the_protocol_are_closed_with_its_codes(
    desk: House, frames: list[bytes], code: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(UPGRADE)
    assert b"101" in await reader.readline()
    await reader.readuntil(b"\r\n\r\n")
    for frame in frames:
        writer.write(frame)
    async with asyncio.timeout(5):
        came = await reader.read()
    writer.close()
    assert came[:1] == b"\x88", came[:40]
    assert int.from_bytes(came[2:4], "big") in ({code, 1007} if code == 1007 else {code, 1009})


@pytest.mark.parametrize(("size", "answer"), [(4_096, b"HTTP/1.1 101"), (32_768, b"HTTP/1.1 400")])
async def test_a_header_of_4_kilobytes_is_fine_and_one_of_32_is_refused(desk: House, size: int, answer: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(UPGRADE[:-2] + b"X-Long: " + b"x" * size + b"\r\n\r\n")
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(answer)
    writer.close()
    await still_served(desk)


@pytest.mark.slow
async def test_a_head_that_drips_in_is_cut_off_and_abuse_leaves_memory_flat(desk: House) -> None:
    async def drip() -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while not reader.at_eof():
                writer.write(b"G")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await reader.read()
        writer.close()
        return time.monotonic() - began

    async def abuse() -> None:
        async with raw(desk, JSON) as socket:
            await socket.send("\x00" * 100_000)
            await closed(socket)

    await asyncio.gather(*(abuse() for _ in range(20)))
    before = resident_bytes(desk)
    dripping = [asyncio.create_task(drip()) for _ in range(50)]
    for _ in range(5):
        await asyncio.gather(*(abuse() for _ in range(20)))
    await still_served(desk)
    took = await asyncio.gather(*dripping)
    assert max(took) < 15
    assert resident_bytes(desk) - before < 16 * 1024 * 1024


def resident_bytes(desk: House) -> int:
    """Of the process that serves."""
    (process,) = desk.processes.values()
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_pages_of_another_origin_than_the_site_names_are_refused(desk: House) -> None:
    async with connect_grpc(f"unix:{desk.home}/run/session-router.sock") as channel:
        request = CreateSiteRequest(tenant_id="teashop", site_key="site_teashop", origins=["https://tea.example"])
        await AccessStub(channel).CreateSite(request, timeout=5)
    mine = token(desk, site_key="site_teashop", headers={"origin": "https://tea.example"})["token"]
    for origin, hello, code in (
        ("https://evil.example", {"site_key": "site_teashop"}, 4003),
        ("https://evil.example", {"token": mine}, 4003),
        ("https://tea.example", {"site_key": "site_teashop"}, 0),
    ):
        async with raw(desk, JSON, origin=Origin(origin)) as socket:
            await socket.send(json.dumps({"hello": hello}))
            if not code:
                assert "welcome" in json.loads(await socket.recv())
                continue
            found, frames = await closed(socket)
            assert (found, frames[0]["error"]["code"]) == (code, "forbidden")


async def test_a_half_open_upgrade_and_a_cut_in_mid_frame_hurt_nobody(desk: House) -> None:
    for piece in (UPGRADE[:60], UPGRADE + masked(1, HELLO)[:7]):
        _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
        writer.write(piece)
        await writer.drain()
        writer.transport.abort()
    await still_served(desk)


async def test_a_socket_elsewhere_is_404(desk: House) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(f"ws://127.0.0.1:{desk.port}/v1/other", subprotocols=[Subprotocol(JSON)]):
            pass
    assert caught.value.response.status_code == 404


# ---- floods and slow readers -----------------------------------------------------------------------------------


async def test_a_flood_of_frames_is_4129_with_the_time_to_wait(desk: House) -> None:
    async with a_visitor(desk) as visitor:
        for n in range(1200):
            await visitor.send({"ping": {"n": n}})
        code, frames = await closed(visitor.socket)
        assert code == 4129
        (bye,) = [frame["bye"] for frame in frames if "bye" in frame]
        assert bye["retry_after_ms"] > 0
    await still_served(desk)


@pytest.mark.slow
async def test_a_slow_reader_is_sent_away_others_go_on_and_it_resumes_without_loss() -> None:
    with a_house(PARLEY_GATEWAY_MESSAGES_BURST="1000", PARLEY_GATEWAY_QUEUE_FRAMES="16") as house:
        first = token(house)
        hello = {"token": first["token"]}
        stuck = sockets.socket()
        stuck.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", house.port))
        stuck.sendall(UPGRADE + masked(1, json.dumps({"hello": hello}).encode()))
        async with a_visitor(house, hello) as writer:
            for n in range(300):  # 24 KB each: more than the kernel will hold for somebody who does not read
                await writer.say("字" * 8000, f"c-{n}")
                await writer.until("ack", client_msg_id=f"c-{n}")
                if n % 20 == 19 and await _connections(house) == 1:
                    break
            await asyncio.wait_for(_dropped(house), 15)
            await nothing_more(writer)
        stuck.close()
        last = max(frame["ack"]["seq"] for frame in writer.frames if "ack" in frame)
        async with a_visitor(house, {**hello, "streams": position(first["session_id"], last - 2)}) as back:
            assert back.frames[0]["welcome"]["streams"][0]["recovered"]
            await nothing_more(back)
            while last not in seqs(back):
                await back.until("event")
            assert seqs(back) == list(range(last - 1, seqs(back)[-1] + 1))


async def _connections(house: House) -> int:
    _, text = await asyncio.to_thread(house.get, "/metrics")
    line = next(line for line in text.decode().splitlines() if line.startswith("parley_gateway_connections{"))
    return int(float(line.rpartition(" ")[2]))


async def _dropped(house: House) -> None:
    while await _connections(house) > 1:  # noqa: ASYNC110 - another process' state has no event
        await asyncio.sleep(0.05)


async def test_secrets_and_customers_words_are_in_no_log(desk: House) -> None:
    secret, said = token(desk)["token"], f"我的卡号是{new_id('n')}"
    async with a_visitor(desk, {"token": secret}) as visitor:
        await visitor.say(said, "c-1")
        await visitor.until("ack")
        await visitor.socket.send("{" + said)
        await visitor.until("error")
    desk.call("GET", "/v1/sessions", key=secret)
    logs = desk.logs()
    for hidden in (secret, said, desk.operator_key):
        assert hidden not in logs


async def test_one_client_that_misbehaves_does_not_hold_up_the_others(desk: House) -> None:
    async def misbehave() -> None:
        async with raw(desk, JSON) as socket:
            await socket.send("\x00" * 60_000)
            await closed(socket)

    async with a_visitor(desk) as visitor:
        bad = [asyncio.create_task(misbehave()) for _ in range(20)]
        assert isinstance(visitor, Client)
        await answered(visitor, ZH)
        await asyncio.gather(*bad)
