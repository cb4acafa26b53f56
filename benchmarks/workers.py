"""Engines made with the SDK, each its own process, and a driver that keeps a number of turns under way.

`python -m benchmarks.workers echo|sleep|burn` is one engine; it says `ready` once it reads its queue.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvloop

from benchmarks.machine import cpu_seconds
from parley.bus import Bus, Delivery
from parley.bus.open import open_bus
from parley.bus.queues import USER_TO_ENGINE, durable_queues, sessions
from parley.bus.routes import to_engines
from parley.contracts.v1 import EventMeta, Message, TurnCompleted, TurnRequested
from parley.core import new_id, new_replica_id
from parley.core.settings import PlaceSettings
from parley.service import Context, Service
from parley.service.run import run as run_services

SLEEP_SECONDS, BURN_SECONDS = 0.05, 0.002
SLEEPERS = 4  # turns at once of an engine whose handler sleeps: few, so that the cores are not what is measured
ASKED = "多久可以退货 how long until my refund arrives?"


async def nothing() -> None:
    """The reply is the question."""


async def sleep() -> None:
    """As if a model were asked."""
    await asyncio.sleep(SLEEP_SECONDS)


async def burn() -> None:
    """Work that holds the core."""
    until = time.thread_time() + BURN_SECONDS
    while time.thread_time() < until:
        pass


WORK = {"echo": nothing, "sleep": sleep, "burn": burn}


def an_engine(kind: str) -> Service[None]:
    """A service as its developer would write it: one handler, one reply."""
    service, work = Service[None]("bench-engine"), WORK[kind]

    @service.consumes(USER_TO_ENGINE, concurrency=SLEEPERS if kind == "sleep" else 64)
    async def answer(event: TurnRequested, ctx: Context[None]) -> None:
        await work()
        reply = Message(message_id=event.message_id, text=event.asked[-1].text)
        await ctx.publish(TurnCompleted(turn_id=event.turn_id, ownership=event.ownership, reply=reply))

    return service


@contextmanager
def engines(amqp: str, kind: str, count: int = 1) -> Iterator[list[int]]:
    """So many processes, ready; their process ids."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as home:
        environment = {**os.environ, "PARLEY_HOME": home, "PARLEY_BUS_URL": amqp, "PARLEY_SHARDS": "1"}
        environment |= {"PARLEY_TRACE_RATIO": "0.01", "PARLEY_LOG_LEVEL": "WARNING", "PARLEY_DRAIN_SECONDS": "2"}
        command = [sys.executable, "-m", "benchmarks.workers", kind]
        started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        try:
            for process in started:
                assert process.stdout is not None
                if process.stdout.readline().strip() != "ready":
                    raise SystemExit("an engine did not start")
            yield [process.pid for process in started]
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(timeout=60)


def pump(amqp: str, kind: str, count: int, under_way: int, seconds: float, warm: float = 1.0) -> dict[str, Any]:
    """Keep `under_way` turns with `count` engines: turns a second, and CPU of the engines for each."""
    uvloop.run(_prepare(amqp))
    with engines(amqp, kind, count) as pids:
        return uvloop.run(_pump(amqp, pids, under_way, seconds, warm))


async def _prepare(amqp: str) -> None:
    async with open_bus(amqp, service="bench", replica=new_replica_id()) as bus:
        await bus.apply_topology(durable_queues(1))


@dataclass
class _Count:
    done: int = 0
    asked: int = 0
    going: bool = True


async def _pump(amqp: str, pids: list[int], under_way: int, seconds: float, warm: float) -> dict[str, Any]:
    count = _Count()
    async with open_bus(amqp, service="bench", replica=new_replica_id()) as bus:

        def take(deliveries: list[Delivery]) -> None:
            for delivery in deliveries:
                if isinstance(delivery.event, TurnCompleted):
                    count.done += 1
                    if count.going:
                        _ask(bus, count)
                delivery.settle()

        async with bus.subscribe(sessions(0), take, prefetch=64):
            for _ in range(under_way):
                _ask(bus, count)
            await asyncio.sleep(warm)
            before, spent, began = count.done, sum(map(cpu_seconds, pids)), time.monotonic()
            await asyncio.sleep(seconds)
            done, spent = count.done - before, sum(map(cpu_seconds, pids)) - spent
            rate = done / (time.monotonic() - began)
            count.going = False
            async with asyncio.timeout(30):
                while count.done < count.asked:  # noqa: ASYNC110 - the last replies come by themselves
                    await asyncio.sleep(0.02)
    return {"msgs_per_s": rate, "worker_us": spent / max(1, done) * 1e6}


def _ask(bus: Bus, count: _Count) -> None:
    count.asked += 1
    turn = TurnRequested(
        meta=EventMeta(tenant_id="bench", session_id=f"ses_{count.asked % 1000:04}"),
        turn_id=new_id("turn"),
        message_id=new_id("msg"),
        ownership=1,
        asked=[Message(text=ASKED)],
        channel="web",
        locale="zh-CN",
    )
    bus.publish_nowait(to_engines(), turn).add_done_callback(lambda done: done.result())


def main() -> None:
    """One engine."""
    sys.exit(run_services([an_engine(sys.argv[1])], PlaceSettings.load(), lambda: print("ready", flush=True)))


if __name__ == "__main__":
    main()
