"""What waits for one client is bounded: previews go first, then the client is sent away."""

import asyncio

import pytest

from parley_gateway.realtime.outgoing import Outgoing, Overflow


async def written(outgoing: Outgoing) -> list[bytes]:
    found: list[bytes] = []

    async def write(frame: bytes) -> None:
        found.append(frame)

    await outgoing.flush(write)
    return found


async def test_frames_leave_in_the_order_they_came() -> None:
    outgoing = Outgoing(8, 1000)
    for n in range(5):
        outgoing.push(b"%d" % n, preview=n % 2 == 0)
    assert await written(outgoing) == [b"0", b"1", b"2", b"3", b"4"]


async def test_previews_are_dropped_before_anything_else_when_frames_run_out() -> None:
    outgoing = Outgoing(256, 262_144)
    for n in range(256):
        outgoing.push(b"event" if n % 4 == 0 else b"chunk", preview=n % 4 != 0)
    outgoing.push(b"the end")
    assert await written(outgoing) == [b"event"] * 64 + [b"the end"]
    assert outgoing.dropped == 192


async def test_previews_are_dropped_before_anything_else_when_bytes_run_out() -> None:
    outgoing = Outgoing(256, 262_144)
    outgoing.push(b"x" * 200_000, preview=True)
    outgoing.push(b"y" * 100_000)
    assert await written(outgoing) == [b"y" * 100_000]


async def test_a_preview_for_which_there_is_no_room_is_dropped_silently() -> None:
    outgoing = Outgoing(2, 1000)
    outgoing.push(b"1")
    outgoing.push(b"2")
    outgoing.push(b"preview", preview=True)
    assert await written(outgoing) == [b"1", b"2"]


@pytest.mark.parametrize(("frames", "size"), [(256, 10), (4, 65_536)])
async def test_a_full_queue_of_durable_frames_overflows(frames: int, size: int) -> None:
    outgoing = Outgoing(256, 262_144)
    for _ in range(frames):
        outgoing.push(b"x" * size)
    with pytest.raises(Overflow):
        outgoing.push(b"one more")


async def test_one_frame_always_fits_however_large_it_is() -> None:
    outgoing = Outgoing(8, 100)
    outgoing.push(b"x" * 5000)
    assert await written(outgoing) == [b"x" * 5000]


async def test_eased_waits_until_half_of_the_room_is_free() -> None:
    outgoing = Outgoing(8, 10_000)
    for _ in range(6):
        outgoing.push(b"x")
    waiting = asyncio.ensure_future(outgoing.eased(5))
    await asyncio.sleep(0)
    assert not waiting.done()
    await written(outgoing)
    await waiting


async def test_eased_gives_up_on_a_client_that_does_not_read() -> None:
    outgoing = Outgoing(8, 10_000)
    for _ in range(6):
        outgoing.push(b"x")
    with pytest.raises(Overflow):
        await outgoing.eased(0.01)


async def test_clear_forgets_what_waits() -> None:
    outgoing = Outgoing(8, 10_000)
    for _ in range(8):
        outgoing.push(b"x")
    outgoing.clear()
    outgoing.push(b"room again")
    assert await written(outgoing) == [b"room again"]
