"""A desk of separate processes under a steady load, and the ledger of what its visitors lived through."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from parley.testing.ledger import Ledger, Seen, Verdict
from parley.testing.visitor import Visitor, read_history
from tests.flow.house import House

SERVICES = ("knowledge", "media", "session-router", "ai-engine", "gateway")


@dataclass
class Load:
    """So many visitors, each writing so often, for so long."""

    visitors: int = 50
    per_second: float = 2.0
    seconds: float = 15.0


@dataclass
class Recovery:
    """When things were broken, and when the first good thing happened after that. Monotonic seconds."""

    moments: list[tuple[str, float]] = field(default_factory=list)

    def broke(self, what: str) -> None:
        self.moments.append((what, time.monotonic()))

    def seconds(self, good: list[float]) -> dict[str, float]:
        """Per fault: until something was acknowledged or said again."""
        found: dict[str, float] = {}
        for what, at in self.moments:
            found[what] = max(found.get(what, 0.0), min((g - at for g in good if g > at), default=float("inf")))
        return found


def start_all(house: House, *, echo: bool = True) -> None:
    """Every service as its own process."""
    if echo:
        house.environment["PARLEY_AI_ENGINE_ECHO"] = "1"
    for name in SERVICES:
        house.start(name)
    house.wait_ready()


async def under_load(
    house: House, load: Load, fault: Callable[[Recovery], Coroutine[Any, Any, None]]
) -> tuple[Verdict, Recovery, Ledger]:
    """Let visitors write while `fault` happens; then wait until all is quiet, and judge."""
    ledger, recovery = Ledger(), Recovery()
    visitors = [Visitor(lambda: f"127.0.0.1:{house.port}", ledger) for _ in range(load.visitors)]
    living = [asyncio.create_task(visitor.live()) for visitor in visitors]
    await _until(lambda: all(v.connected for v in visitors), 60)
    breaking = asyncio.create_task(fault(recovery))
    await asyncio.gather(*(_write(visitor, load, number) for number, visitor in enumerate(visitors)))
    await breaking
    await _until_quiet(visitors)
    history = await _histories(house, visitors)
    await asyncio.gather(*(visitor.stop() for visitor in visitors))
    await asyncio.gather(*living)
    return ledger.verdict(history), recovery, ledger


async def _write(visitor: Visitor, load: Load, number: int) -> None:
    """Write at fixed moments, late ones too: an open loop."""
    begin = time.monotonic() + number / load.visitors / load.per_second
    for turn in range(int(load.seconds * load.per_second)):
        await asyncio.sleep(max(0.0, begin + turn / load.per_second - time.monotonic()))
        await visitor.say(f"第 {turn} 个问题 from {number}")
        await visitor.resend_stale()


async def _until_quiet(visitors: list[Visitor]) -> None:
    """Everything acknowledged, and nothing new for two seconds."""

    async def settled() -> bool:
        for visitor in visitors:
            await visitor.resend_stale()
        before = [visitor.seen for visitor in visitors]
        await asyncio.sleep(2)
        quiet = [visitor.seen for visitor in visitors] == before
        return quiet and all(v.unacked == 0 and v.connected for v in visitors)

    deadline = time.monotonic() + 90
    while not await settled():
        assert time.monotonic() < deadline, f"not quiet: {sum(v.unacked for v in visitors)} unacknowledged"


async def _histories(house: House, visitors: list[Visitor]) -> dict[str, list[Seen]]:
    return {v.session: await read_history(house.url, v) for v in visitors}


async def _until(fact: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not fact():  # noqa: ASYNC110 - the fact has no event
            await asyncio.sleep(0.05)


def report(name: str, verdict: Verdict, recovery: Recovery, ledger: Ledger) -> None:
    """The line for the table."""
    times = {what: round(seconds, 2) for what, seconds in recovery.seconds(ledger.good).items()}
    print(f"\n{name}: {verdict.line()}; recovery s {json.dumps(times)}")
