"""Broken frames, forged tokens, foreign origins, forged headers, garbage on the bus: refused, and nobody harmed."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import struct
import zlib
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from parley.bus.open import open_bus
from parley.bus.queues import USER_TO_ENGINE_EXCHANGE, shard_key
from parley.contracts.v1 import Batch, Envelope, MessageReceived
from parley.core import shard_of
from parley.testing.builders import a_message_received
from tests.faults import table
from tests.faults.desk import MARKS, Desk
from tests.faults.people import PROTOCOLS, a_closed_site, a_token, greeted, request, resident_kb

pytestmark = MARKS

# ---- C08: raw frames

TEXT, BINARY, CLOSE, PING, CONTINUE = 1, 2, 8, 9, 0
HELLO = b'{"hello":{"site_key":"demo"}}'


def a_frame(
    opcode: int, data: bytes, *, fin: bool = True, mask: bool = True, reserved: int = 0, length: int | None = None
) -> bytes:
    """A WebSocket frame as no library would make it."""
    size = len(data) if length is None else length
    head = bytes([fin << 7 | reserved << 4 | opcode])
    if size < 126:
        head += bytes([mask << 7 | size])
    elif size < 65_536:
        head += bytes([mask << 7 | 126]) + struct.pack(">H", size)
    else:
        head += bytes([mask << 7 | 127]) + struct.pack(">Q", size)
    return head + (bytes(4) if mask else b"") + data


BOMB = zlib.compressobj(9, zlib.DEFLATED, -15)
ABUSES: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "bad UTF-8": (a_frame(TEXT, b'{"hello": "\xff\xfe"}'), (1007,)),
    "unmasked": (a_frame(TEXT, HELLO, mask=False), (1002,)),
    "reserved bits": (a_frame(TEXT, HELLO, reserved=7), (1002,)),
    "unknown opcode": (a_frame(3, b"x"), (1002,)),
    "a length of 2^62": (a_frame(BINARY, b"", length=2**62), (1002, 1009)),
    "longer than allowed": (a_frame(TEXT, b"x" * 200_000), (1009,)),
    "fragments of another message in between": (a_frame(TEXT, b"{", fin=False) + a_frame(TEXT, b"}"), (1002,)),
    "a continuation of nothing": (a_frame(CONTINUE, b"x"), (1002,)),
    "a fragmented ping": (a_frame(PING, b"x", fin=False), (1002,)),
    "a ping of 200 bytes": (a_frame(PING, b"x" * 200), (1002,)),
    "a close code that is none": (a_frame(CLOSE, struct.pack(">H", 999)), (1002,)),
    "a close of one byte": (a_frame(CLOSE, b"x"), (1002,)),
    "deflate bomb that was never agreed": (
        a_frame(TEXT, BOMB.compress(bytes(50_000_000)) + BOMB.flush(), reserved=4), (1002, 1009),
    ),
    "fragments without end": (
        a_frame(TEXT, b"x" * 60_000, fin=False) + a_frame(CONTINUE, b"x" * 60_000, fin=False) * 3, (1009,),
    ),
    "no JSON": (a_frame(TEXT, b"x" * 1000), (4001, 4002)),
    "JSON of 10,000 brackets": (a_frame(TEXT, b"[" * 10_000), (4001, 4002)),
    "something else than hello": (a_frame(TEXT, b'{"send":{"client_msg_id":"c1","text":"x"}}'), (4001,)),
    "silence": (b"", (4001,)),
}  # fmt: skip


async def closed_with(desk: Desk, sent: bytes) -> int:
    """The close code that a raw client gets; 1006 when the connection just ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /v1/rt HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {PROTOCOLS[0]}\r\n\r\n".encode()
    )
    async with asyncio.timeout(20):
        assert b" 101 " in (await reader.readuntil(b"\r\n\r\n"))
        writer.write(sent)
        try:
            code = await _close_code(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            code = 1006
    writer.close()
    return code


async def _close_code(reader: asyncio.StreamReader) -> int:
    while True:
        first, size = await reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2))
        data = await reader.readexactly(size)
        if first & 15 == CLOSE:
            return int.from_bytes(data[:2])


async def test_c08_frames_that_no_client_should_send_are_closed_with_the_right_code(desk: Desk) -> None:
    other = await greeted(desk)
    before = resident_kb(desk.services["gateway"].pid)
    codes = await asyncio.gather(*(closed_with(desk, sent) for sent, _ in ABUSES.values()))
    wrong = {name: code for (name, (_, right)), code in zip(ABUSES.items(), codes, strict=True) if code not in right}
    assert wrong == {}
    assert resident_kb(desk.services["gateway"].pid) - before < 32 * 1024
    await other.say("还在吗？", "c1")
    await other.until("ack")
    table.add_cases("C08", "raw frames that no client should send", len(ABUSES))


async def test_c08_slow_and_huge_upgrades_hold_nobody_up(desk: Desk) -> None:
    slow = [await asyncio.open_connection("127.0.0.1", desk.port) for _ in range(100)]
    for _, writer in slow:
        writer.write(b"GET /v1/rt HTTP/1.1\r\nHost: x\r\n")  # and never the rest
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(b"GET /v1/rt HTTP/1.1\r\nHost: x\r\nX-Big: " + b"x" * 200_000 + b"\r\n\r\n")
    async with asyncio.timeout(15):
        answer = await reader.read(100)
    assert answer.split()[1:2] in ([b"400"], [b"431"]) or not answer
    client = await greeted(desk)
    await client.say("我要退款", "c1")
    await client.until("event.message_end")
    for _, one in slow:
        one.close()
    table.add_cases("C08", "slow and huge upgrade requests", 101)


# ---- S01: origins

ORIGINS = ("https://evil.example", "null", "http://127.0.0.1.evil.example", "http://localhost.evil.example", "file://",
           "http://127.0.0.1@evil.example", "HTTP://EVIL.EXAMPLE", "http://evil.example:80#127.0.0.1")  # fmt: skip


async def test_s01_pages_from_elsewhere_are_refused_on_every_transport(desk: Desk) -> None:
    site = await a_closed_site(desk)
    hello = {"site_key": site}
    await (await greeted(desk, hello, additional_headers={"Origin": "https://shop.example"})).socket.close()
    for origin in ORIGINS:
        with pytest.raises((InvalidStatus, ConnectionClosed, KeyError)):
            await greeted(desk, hello, additional_headers={"Origin": origin})
        asked = asyncio.to_thread(request, desk, "POST", "/v1/visitor-tokens", hello, headers={"Origin": origin})
        status, _ = await asked
        assert status in (401, 403), (origin, status)
    table.add_cases("S01", "foreign and tricky origins", 2 * len(ORIGINS))


# ---- S04: tokens


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _resigned(token: str, change: Callable[[dict[str, Any], dict[str, Any]], None], key: bytes | None = None) -> str:
    """The token with other words; signed by nobody, or with HMAC and `key`."""
    head, body, signature = token.split(".")
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, body))
    change(header, claims)
    text = f"{_part(header)}.{_part(claims)}"
    if key is not None:
        signature = (
            base64.urlsafe_b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()
        )
    return f"{text}.{signature}"


def forged(token: str) -> dict[str, str]:
    """What somebody who has a good token of his own makes of it."""
    stranger = Ed25519PrivateKey.generate()
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})

    def signed(kid: str = header["kid"], **changes: Any) -> str:
        return jwt.encode({**claims, **changes}, stranger, algorithm="EdDSA", headers={"kid": kid})

    return {
        "algorithm none": _resigned(token, lambda h, c: h.update(alg="none")).rpartition(".")[0] + ".",
        "HMAC with the name of our key": _resigned(token, lambda h, c: h.update(alg="HS256"), header["kid"].encode()),
        "another session, old signature": _resigned(token, lambda h, c: c.update(sub="ses_other")),
        "another tenant, old signature": _resigned(token, lambda h, c: c.update(tenant="other")),
        "a longer life, old signature": _resigned(token, lambda h, c: c.update(exp=2**33)),
        "a stranger's signature under our key's name": signed(),
        "a key that is not ours": signed("sig_other"),
        "a key id that is a path": signed("../../dev/null"),
        "another audience": signed(aud="agent"),
        "another issuer": signed(iss="evil"),
        "expired": signed(exp=1),
        "cut off": token[:-10],
        "nothing": "..",
        "10,000 letters": "a" * 10_000,
    }


async def test_s04_forged_tokens_open_nothing(desk: Desk) -> None:
    good = await a_token(desk)
    await (await greeted(desk, {"token": good["token"]})).socket.close()
    tokens = forged(good["token"])
    for what, token in tokens.items():
        async with connect(f"ws://127.0.0.1:{desk.port}/v1/rt", subprotocols=PROTOCOLS) as socket:
            await socket.send(json.dumps({"hello": {"token": token}}))
            answers = []
            with contextlib.suppress(ConnectionClosed):
                while True:
                    answers.append(json.loads(await socket.recv()))
        assert socket.close_code == 4001, (what, socket.close_code)
        assert not any("welcome" in answer for answer in answers), what
        path = f"/v1/sessions/{good['session_id']}/messages"
        status, _ = await asyncio.to_thread(request, desk, "GET", path, headers={"authorization": f"Bearer {token}"})
        assert status == 401, (what, status)
    table.add_cases("S04", "forged visitor tokens, by WebSocket and REST", 2 * len(tokens))


# ---- S13: garbage on the bus


async def test_s13_garbage_on_the_bus_is_parked_and_its_neighbours_go_on(desk: Desk) -> None:
    client = await greeted(desk)
    session = client.frames[0]["welcome"]["session_id"]
    key = shard_key(shard_of("demo", session, 16))
    good = a_message_received("好消息", session=session, external_id="good").SerializeToString()
    nested = b""
    for _ in range(2000):
        nested = b"\x0a" + _varint(len(nested)) + nested
    bodies = {
        "no batch": b"\xff" * 100,
        "cut off": Batch(events=[Envelope(type="MessageReceived", payload=good)]).SerializeToString()[:-5],
        "an event of the future": Batch(events=[Envelope(type="MessageTeleported", payload=good)]).SerializeToString(),
        "an event without a type": Batch(events=[Envelope(payload=good)]).SerializeToString(),
        "a broken payload": Batch(
            events=[Envelope(type="MessageReceived", payload=good[:-3] + b"\xff\xff")]
        ).SerializeToString(),
        "another type's payload": Batch(events=[Envelope(type="TurnCompleted", payload=nested)]).SerializeToString(),
        "an event that belongs elsewhere": Batch(events=[Envelope(type="KeyRevoked", payload=b"")]).SerializeToString(),
        "20 MB": b"\x00" * 20_000_000,
    }
    letters = await parked(desk)
    await publish_raw(desk, key, list(bodies.values()))
    await publish_raw(desk, key, [future_fields(session)])
    await client.say("我要退款", "c1")
    await client.until("ack", seconds=30)
    await client.until("event.message_end", seconds=30)
    assert desk.services["session-router"].exit_code is None
    await until_parked(desk, letters + len(bodies))
    texts = [f["event"]["message"]["text"] for f in client.frames if "message" in f.get("event", {})]
    assert "来自未来" in texts, "an event with fields of a later release was not understood"
    table.add_cases("S13", "garbage on the bus, parked one by one", len(bodies) + 1)


def _varint(n: int) -> bytes:
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def future_fields(session: str) -> bytes:
    """A message with fields and an enum value that no release knows."""
    event = a_message_received("来自未来", session=session, external_id="future")
    event.sender.kind = 99  # type: ignore[assignment]  # no release knows it
    payload = event.SerializeToString() + b"\xfa\x3e\x05later"  # field 1007
    known = MessageReceived.FromString(payload)
    assert known.text == "来自未来"
    return Batch(events=[Envelope(type="MessageReceived", payload=payload)]).SerializeToString()


async def publish_raw(desk: Desk, key: str, bodies: list[bytes]) -> None:
    """Bytes to a shard, as a broken or foreign program would."""
    import aio_pika

    async with await aio_pika.connect(desk.broker.url) as connection:
        exchange = await (await connection.channel()).get_exchange(USER_TO_ENGINE_EXCHANGE.name)
        for body in bodies:
            await exchange.publish(aio_pika.Message(body, delivery_mode=2), key)


async def parked(desk: Desk) -> int:
    async with open_bus(desk.broker.url, service="faults", replica="x") as bus:
        return len(await bus.dead_letters(1000))


async def until_parked(desk: Desk, number: int) -> None:
    async with asyncio.timeout(30):
        while await parked(desk) < number:  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.2)


# ---- S16: forged headers

FORGED = (
    {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-Host": "evil.example"}, {"X-Forwarded-Proto": "https"},
    {"Forwarded": "for=127.0.0.1;host=evil.example"}, {"X-Real-IP": "127.0.0.1"}, {"X-Remote-User": "admin"},
    {"Remote-User": "admin"}, {"X-Auth-Request-Email": "root@example"}, {"X-Tenant-Id": "other"},
    {"X-Original-URL": "/v1/sessions"},
)  # fmt: skip


async def test_s16_headers_that_anybody_can_write_open_nothing(desk: Desk) -> None:
    site = await a_closed_site(desk)
    for headers in FORGED:
        for path in ("/v1/sessions", "/v1/channels/wechat/outbox"):
            status, _ = await asyncio.to_thread(request, desk, "GET", path, headers=headers)
            assert status == 401, (headers, path, status)
        evil = {**headers, "Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}
        asked = asyncio.to_thread(request, desk, "POST", "/v1/visitor-tokens", {"site_key": site}, headers=evil)
        status, _ = await asked
        assert status in (401, 403), (headers, status)
    given = await a_token(desk, **{"X-Tenant-Id": "other"})
    token = jwt.decode(given["token"], options={"verify_signature": False})
    assert token["tenant"] == "demo"
    table.add_cases("S16", "forged proxy and single-sign-on headers", 3 * len(FORGED))
