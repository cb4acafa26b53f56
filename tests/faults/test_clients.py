"""Visitors whose line breaks, who resume from anywhere, who have two tabs, who do not read, who all come at once."""

import asyncio
import contextlib
import random
import time
from functools import partial

import pytest
from websockets.exceptions import ConnectionClosed

from parley.testing.ledger import Ledger
from parley.testing.visitor import Visitor, read_history
from tests.faults import table
from tests.faults.desk import LONG, MARKS, SECONDS, Desk, Load, judged, until
from tests.faults.people import Adapter, a_lazy_socket, a_token, an_ingest_key, greeted, resident_kb, returning
from tests.flow.house import Client

pytestmark = MARKS
CUTS = 20


async def test_c01_a_websocket_that_is_cut_twenty_times_misses_nothing(desk: Desk) -> None:
    async def fault() -> None:
        for _ in range(CUTS):
            await asyncio.sleep(SECONDS / CUTS)
            desk.front.cut()
            desk.over("clients cut")

    verdict = judged("C01", "WebSocket cut 20 times", await desk.under_load(fault, Load(seconds=SECONDS)))
    assert verdict.broken() == {}
    assert sum(visitor.reloads for visitor in desk.visitors) == 0
    assert verdict.recovery_s <= 5


async def test_c01_a_channel_adapter_whose_line_is_cut_sends_and_fetches_everything_once(desk: Desk) -> None:
    adapter, number = Adapter(desk, await an_ingest_key(desk)), 40

    async def cut() -> None:
        for _ in range(CUTS):
            await asyncio.sleep(0.2)
            desk.front.cut()

    fetching = asyncio.create_task(adapter.fetch())
    told, _ = await asyncio.gather(adapter.write(number), cut())
    await until(lambda: adapter.items and adapter.items[-1]["event"]["seq"] > told[-1], 30)
    adapter.done.set()
    await fetching
    got = [item["event"]["seq"] for item in adapter.items]
    assert told == sorted(set(told)), "a message was stored twice, or out of order"
    assert got == sorted(set(got)), "a reply was fetched twice, or out of order"
    table.add_cases("C01", "REST channel adapter cut 20 times", number, counted=True)


async def a_long_conversation(desk: Desk, messages: int) -> tuple[Client, int]:
    """A client of whose stream more is stored than is ever replayed; its head."""
    client = await greeted(desk)
    for n in range(messages):
        await client.say(f"第 {n} 句", f"c{n}")
    await client.until("ack", client_msg_id=f"c{messages - 1}", seconds=60)
    ack = next(f["ack"] for f in reversed(client.frames) if "ack" in f)
    while not any(f.get("event", {}).get("seq", 0) > ack["seq"] for f in client.frames):
        await client.until("event", seconds=30)
    return client, max(f["event"]["seq"] for f in client.frames if "event" in f)


async def test_c03_every_position_is_answered_by_a_replay_or_by_a_clear_reset(desk: Desk) -> None:
    client, head = await a_long_conversation(desk, 310)
    stranger = (await greeted(desk)).frames[0]["welcome"]["session_id"]
    await client.socket.close()
    replayed = {"the end": (head, 1), "near": (head - 3, 1), "the last that is replayed": (head - 300, 1)}
    reset = {
        "too far back": (head - 301, 1),
        "the beginning": (0, 1),
        "the future": (head + 5, 1),
        "another epoch": (head, 7),
    }
    for after, epoch in replayed.values():
        again = await greeted(desk, returning(client, after=after, epoch=epoch))
        stream = again.frames[0]["welcome"]["streams"][0]
        assert stream["recovered"] is True
        seqs = [(await again.until("event"))["seq"] for _ in range(head - after)]
        assert seqs == list(range(after + 1, head + 1))
        await again.socket.close()
    for what, (after, epoch) in reset.items():
        again = await greeted(desk, returning(client, after=after, epoch=epoch))
        stream = again.frames[0]["welcome"]["streams"][0]
        assert (stream["recovered"], stream["head_seq"]) == (False, head), what
        await again.socket.close()
    foreign = await greeted(desk, returning(client, after=0, session=stranger))
    assert [s["id"] for s in foreign.frames[0]["welcome"]["streams"]] == [client.frames[0]["welcome"]["session_id"]]
    for bad in (-1, 2**40, "x"):
        with pytest.raises((ConnectionClosed, KeyError)):
            await greeted(desk, returning(client, after=bad))  # type: ignore[arg-type]  # what a broken client sends
    table.add_cases(
        "C03", "resume from trimmed, future, foreign, malformed positions", len(replayed) + len(reset) + 4, counted=True
    )


async def test_c04_a_message_whose_ack_is_lost_three_times_is_stored_once_with_one_number(desk: Desk) -> None:
    number = 500 if LONG else 120
    client = await greeted(desk)
    seqs: dict[str, set[int]] = {f"c{n}": set() for n in range(number)}
    stored = 0
    for _ in range(3):
        desk.front.freeze("down")
        for name in seqs:
            await client.say(f"订单 {name}", name)
        stored = await stored_at_last(desk, client, number)
        desk.front.cut()
        desk.front.heal()
        client = await back_again(desk, client)
    for name, found in seqs.items():
        await client.say(f"订单 {name}", name)
        ack = await client.until("ack", client_msg_id=name)
        found.add(ack["seq"])
        assert ack["duplicate"]
    assert stored == number
    assert len({seq for found in seqs.values() for seq in found}) == number
    table.add_cases("C04", "ack lost three times, message sent four times", number, counted=True)


async def back_again(desk: Desk, client: Client) -> Client:
    again = await greeted(desk, returning(client, after=0))
    again.frames[0]["welcome"] = {**client.frames[0]["welcome"], **again.frames[0]["welcome"]}
    return again


async def stored_at_last(desk: Desk, client: Client, number: int) -> int:
    """How many of the client's messages the store has, once it has them all."""
    welcome = client.frames[0]["welcome"]
    visitor = Visitor(lambda: "", Ledger(), token=welcome["token"], session=welcome["session_id"])
    async with asyncio.timeout(30):
        while True:
            own = [e for e in await read_history(desk.url, visitor) if e.client_msg_id]
            if len(own) >= number:
                return len(own)
            await asyncio.sleep(0.1)


async def test_c05_two_tabs_that_write_at_once_show_one_order(desk: Desk) -> None:
    token = await a_token(desk)
    ledgers = [Ledger(), Ledger()]
    tabs = [
        Visitor(lambda: desk.front.address, one, token=token["token"], session=token["session_id"], epoch=1)
        for one in ledgers
    ]
    living = [asyncio.create_task(tab.live()) for tab in tabs]
    await until(lambda: all(tab.connected for tab in tabs), 10)
    for n in range(20):
        await asyncio.gather(*(tab.say(f"标签页 {i}：{n}") for i, tab in enumerate(tabs)))
        await asyncio.sleep(random.uniform(0, 0.1))
    await until(lambda: not any(tab.unacked for tab in tabs), 30)
    history = await read_history(desk.url, tabs[0])
    head = history[-1].seq
    await until(lambda: all(tab.seen >= head for tab in tabs), 30)
    for tab in tabs:
        await tab.stop()
    await asyncio.gather(*living)
    views = []
    for ledger, tab in zip(ledgers, tabs, strict=True):
        seen = {e.seq: e.client_msg_id or e.message_id for e in ledger.seen.get(tab.session, ()) if e.seq <= head}
        seen |= {entry.seq: entry.client_msg_id for entry in ledger.sent.values()}
        views.append(seen)
    assert views[0] == views[1] == {e.seq: e.client_msg_id or e.message_id for e in history if e.seq <= head}
    assert sorted(views[0]) == list(range(1, head + 1))
    table.add_cases("C05", "two tabs write at once", 40, counted=True)


async def test_c06_a_reader_that_never_reads_costs_a_bounded_buffer_and_resumes_later(desk: Desk) -> None:
    writer = await greeted(desk)
    lazy = await greeted(desk, returning(writer, after=0), max_queue=1, sock=await a_lazy_socket(desk))
    lazy.socket.transport.pause_reading()
    other = await greeted(desk)
    before = resident_kb(desk.services["gateway"].pid)
    waits = []
    text = "很长的一段话" * 1200
    for n in range(140):
        await writer.say(f"{n} {text}", f"c{n}")
        began = time.monotonic()
        await other.send({"ping": {"n": n}})
        await other.until("pong")
        waits.append(time.monotonic() - began)
        acked = await writer.until("ack", client_msg_id=f"c{n}", seconds=20)
    grown = resident_kb(desk.services["gateway"].pid) - before
    assert grown < 64 * 1024, f"the gateway grew by {grown} KB"
    lazy.socket.transport.resume_reading()
    with contextlib.suppress(ConnectionClosed):  # sent away, unless all of it fitted into the buffers on its way
        while (await lazy.until("event", seconds=30))["seq"] < acked["seq"]:
            pass
    assert lazy.socket.close_code in (None, 4101, 1006), lazy.socket.close_code
    seen = max((f["event"]["seq"] for f in lazy.frames if "event" in f), default=0)
    head = 0
    while head < acked["seq"]:  # until the last question is answered
        head = (await writer.until("event", seconds=30))["seq"]
    seqs: list[int] = []
    for _ in range(60):
        seqs += await _resumed(desk, writer, seen + len(seqs), head)
        if seqs[-1:] == [head]:
            break
    assert seqs == list(range(seen + 1, head + 1))
    waits.sort()
    table.add_cases(
        "C06",
        "a reader that never reads",
        140,
        f"others' pong p99 {waits[-2] * 1000:.0f} ms, gateway +{grown // 1024} MB",
    )


async def _resumed(desk: Desk, client: Client, after: int, head: int) -> list[int]:
    """What a client that comes back is told up to `head`; it may be sent away as slow on a busy machine."""
    again = await greeted(desk, returning(client, after=after))
    with contextlib.suppress(ConnectionClosed):
        while not any(f.get("event", {}).get("seq") == head for f in again.frames):
            await again.until("event", seconds=20)
    return [f["event"]["seq"] for f in again.frames if "event" in f]


def _is_answered(visitor: Visitor) -> bool:
    return visitor.answers > 0 and not visitor.unacked


async def test_c07_everybody_comes_back_at_once(desk: Desk) -> None:
    idle, active = (2000, 200) if LONG else (150, 30)
    ledger = Ledger()
    crowd = [Visitor(lambda: desk.front.address, Ledger()) for _ in range(idle)]
    busy = [Visitor(lambda: desk.front.address, ledger) for _ in range(active)]
    everyone = crowd + busy
    living = [asyncio.create_task(visitor.live()) for visitor in everyone]
    await until(lambda: all(visitor.connected for visitor in everyone), 120)
    for visitor in busy:
        await visitor.say("还在吗？")
    began = time.monotonic()
    desk.front.cut()
    await until(lambda: not any(visitor.connected for visitor in everyone), 20)
    await until(lambda: all(visitor.connected for visitor in everyone), 120)
    back = time.monotonic() - began
    await asyncio.gather(*(visitor.until(partial(_is_answered, visitor), 60) for visitor in busy))
    history = {visitor.session: await read_history(desk.url, visitor) for visitor in busy}
    for visitor in everyone:
        await visitor.stop()
    await asyncio.gather(*living)
    verdict = ledger.verdict(history)
    assert verdict.broken() == {}
    assert sum(visitor.reloads for visitor in everyone) == 0
    assert not any(visitor.errors for visitor in everyone)
    table.add_cases("C07", "all reconnect at once", idle + active, f"all back after {back:.1f} s", counted=True)
