"""So many at once, so much a minute, tenants in turn, and nobody who has stopped waiting."""

import asyncio

import pytest

from parley.testing import VirtualClock
from parley_ai_engine.admission.buckets import MemoryBuckets, Rate
from parley_ai_engine.admission.gate import Gate, GateRules, NotAdmitted

FAR = 30.0


class Model:
    """Counts who is inside, and lets them out one by one."""

    def __init__(self, gate: Gate, clock: VirtualClock) -> None:
        self.gate, self.clock = gate, clock
        self.inside = self.most = 0
        self.served: list[str] = []
        self.doors: list[asyncio.Event] = []

    async def call(self, tenant: str, tokens: int = 0, seconds: float = FAR) -> None:
        async with self.gate.enter(tenant, tokens, self.clock.monotonic() + seconds):
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.served.append(tenant)
            door = asyncio.Event()
            self.doors.append(door)
            await door.wait()
            self.inside -= 1

    async def let_out(self, number: int) -> None:
        self.doors[number].set()
        await settle()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def a_model(rules: GateRules) -> tuple[Model, VirtualClock]:
    clock = VirtualClock()
    return Model(Gate("key", rules, MemoryBuckets(clock), clock), clock), clock


async def test_never_more_at_once_than_the_cap_and_everybody_is_served() -> None:
    model, _ = a_model(GateRules(at_once=3))
    calls = [asyncio.create_task(model.call("t")) for _ in range(10)]
    await settle()
    assert (model.inside, model.gate.waiting) == (3, 7)
    for number in range(10):
        await model.let_out(number)
    await asyncio.gather(*calls)
    assert (model.most, len(model.served), model.gate.waiting) == (3, 10, 0)


async def test_a_flood_of_one_tenant_leaves_the_others_their_turn() -> None:
    model, _ = a_model(GateRules(at_once=1))
    calls = [asyncio.create_task(model.call("flood")) for _ in range(20)]
    await settle()
    calls += [asyncio.create_task(model.call(f"quiet-{number}")) for number in range(3)]
    await settle()
    for number in range(8):
        await model.let_out(number)
    assert {"quiet-0", "quiet-1", "quiet-2"} <= set(model.served[:6])
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_who_stops_waiting_leaves_the_line_and_costs_nobody_a_place() -> None:
    model, _ = a_model(GateRules(at_once=1, key=Rate(tokens=1000)))
    first, gone, last = (asyncio.create_task(model.call("t", 100)) for _ in range(3))
    await settle()
    gone.cancel()
    await settle()
    assert model.gate.waiting == 1
    await model.let_out(0)
    await model.let_out(1)
    await asyncio.gather(first, last)
    assert len(model.served) == 2


async def test_a_place_that_does_not_come_in_time_is_no_error_of_the_model() -> None:
    model, _ = a_model(GateRules(at_once=1))
    first = asyncio.create_task(model.call("t"))
    await settle()
    with pytest.raises(NotAdmitted):
        await model.call("t", seconds=0.01)
    assert model.gate.waiting == 0
    first.cancel()


async def test_a_minutes_tokens_are_never_exceeded_and_what_was_not_used_comes_back() -> None:
    clock = VirtualClock()
    gate = Gate("key", GateRules(key=Rate(tokens=600)), MemoryBuckets(clock), clock)
    async with gate.enter("t", 600, clock.monotonic() + FAR) as permit:
        permit.used = 100
    async with gate.enter("t", 500, clock.monotonic() + FAR) as permit:
        pass
    with pytest.raises(NotAdmitted, match="30 s"):
        async with gate.enter("t", 300, clock.monotonic() + 20):
            pass
    waiting = asyncio.create_task(gate.enter("t", 300, clock.monotonic() + 60).__aenter__())
    await settle()
    await clock.advance(29)
    assert not waiting.done()
    await clock.advance(2)
    await waiting


async def test_a_tenant_that_waits_for_its_own_minute_keeps_no_place_from_others() -> None:
    model, clock = a_model(GateRules(at_once=1, tenant=Rate(requests=1)))
    first = asyncio.create_task(model.call("flood"))
    await settle()
    await model.let_out(0)
    await first
    flood = [asyncio.create_task(model.call("flood", seconds=600)) for _ in range(5)]
    await settle()
    quiet = asyncio.create_task(model.call("quiet"))
    await settle()
    assert model.served == ["flood", "quiet"]
    await model.let_out(1)
    await quiet
    await clock.advance(61)
    await settle()
    assert model.served == ["flood", "quiet", "flood"]
    for call in flood:
        call.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
