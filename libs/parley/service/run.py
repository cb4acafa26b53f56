"""The life of a process: open, ready, serve; on SIGTERM not ready, drain, close, exit.

Services that share a process share nothing else: each has its own bus connection, clock, tracer and dependencies, and
none can know the others are there. They drain one after another, in the order in which a turn travels.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from parley.bus import Bus, Queue
from parley.bus.open import open_bus
from parley.bus.queues import durable_queues
from parley.core import Clock, ParleyError, SettingsError, SystemClock, new_replica_id
from parley.core.settings import PlaceSettings
from parley.service import grpc as grpc_server
from parley.service.consuming import Consumer
from parley.service.context import Context
from parley.service.definition import Consumption, Service
from parley.service.health import Health, serve_health
from parley.service.spans import tracing_for
from parley.telemetry import Log, configure_logging

SWITCH_SECONDS = 0.0001
READY_DELAY = 0.2  # seconds between "not ready" and the first refusal, so that load balancers hear of it
# What answers questions starts first and ends last; who takes messages in starts last and ends first.
START_ORDER = ("knowledge", "media", "session-router", "ai-engine")
HEALTH = Health()  # of this process; the gateway shows it on its own port as well


@dataclass
class Running:
    """One service of this process."""

    ctx: Context[Any]
    consumers: list[Consumer]
    subscriptions: list[Any]
    tasks: list[asyncio.Task[None]]

    def failed(self) -> list[asyncio.Future[Any]]:
        """Ends when the service cannot go on."""
        return [*self.tasks, *(s.lost for s in self.subscriptions)]

    async def drain(self, seconds: float) -> None:
        """Take nothing more, finish what runs, then let the tasks end."""
        self.ctx.draining.set()
        for subscription in self.subscriptions:
            subscription.pause()
        await asyncio.gather(*(consumer.finish(seconds) for consumer in self.consumers))
        if self.tasks:
            _, late = await asyncio.wait(self.tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


@asynccontextmanager
async def running(
    service: Service[Any],
    settings: PlaceSettings,
    bus: Bus,
    *,
    replica: str,
    clock: Clock | None = None,
    deps: Any = None,
) -> AsyncIterator[Running]:
    """Open one service and start what it serves. Leaving the context closes it; drain it first.

    `deps` and `clock` are given by tests; a service opens its own and uses the machine's time otherwise.
    """
    tracing = tracing_for(service.name, settings, bus)
    ctx: Context[Any] = Context(
        service.name, replica, settings, bus, clock or SystemClock(), tracing, Log(service.name)
    )
    async with AsyncExitStack() as stack:
        stack.callback(tracing.close)
        ctx.deps = await stack.enter_async_context(service.open_deps(ctx, deps))
        HEALTH.add(ctx)
        stack.callback(HEALTH.remove, ctx)
        if service.servicers:
            await stack.enter_async_context(_serve_grpc(service, ctx))
        started = Running(ctx, [], [], [])
        for queue, handlers in service.readings(ctx):
            consumer = Consumer(ctx, queue, handlers)
            reading = bus.subscribe(queue, consumer.take, prefetch=_prefetch(ctx, queue, handlers))
            started.consumers.append(consumer)
            started.subscriptions.append(await stack.enter_async_context(reading))
        started.tasks.extend(asyncio.create_task(_task(task, ctx), name=service.name) for task in service.tasks)
        yield started


def _prefetch(ctx: Context[Any], queue: Queue[Any], handlers: list[Consumption]) -> int:
    """Batches in hand: enough to fill the slots and wait for confirms, not so many that other replicas go without."""
    return max(8, 2 * max(handler.slots(ctx) for handler in handlers) // queue.batch)


def _serve_grpc(service: Service[Any], ctx: Context[Any]) -> AbstractAsyncContextManager[Any]:
    add = [partial(register, ctx) for register in service.servicers]
    listen = ctx.settings.grpc_listen(service.name)
    return grpc_server.serve(listen, add, tracing=ctx.tracing, service=service.name)


async def _task(task: Any, ctx: Context[Any]) -> None:
    await task(ctx)
    if not ctx.draining.is_set():
        raise ParleyError(f"a task of {ctx.service} ended by itself")


async def run_services(
    services: Sequence[Service[Any]], settings: PlaceSettings, announce: Callable[[], None] | None = None
) -> int:
    """Run until a signal or a failure; the process's exit code. `announce` is called once, when all is ready."""
    stop = _stop_event()
    ordered = sorted(services, key=lambda s: START_ORDER.index(s.name) if s.name in START_ORDER else len(START_ORDER))
    ordered.sort(key=lambda s: s.name == "gateway")
    log = Log("runner")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serve_health(HEALTH, settings.health_port))
        started = [await _start(stack, service, ordered, settings) for service in ordered]
        HEALTH.started = True
        _settle_memory()
        log.info("process.ready", services=",".join(s.name for s in ordered), pid=os.getpid())
        announcing = asyncio.create_task(_announce(announce))
        failure = await _until_stopped(stop, started)
        announcing.cancel()
        await asyncio.sleep(READY_DELAY if settings.health_port else 0)
        for one in reversed(started):
            await one.drain(settings.drain_seconds)
    if failure:
        log.error("process.failed", error=repr(failure))
    return 1 if failure else 0


def _settle_memory() -> None:
    """What is loaded now stays for good: keep the collector from walking it, and let it run less often.

    A message makes hundreds of small objects, nearly all freed by reference count at once.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


async def _announce(announce: Callable[[], None] | None) -> None:
    while await HEALTH.reasons():  # noqa: ASYNC110 - readiness is asked for, by probes and by us
        await asyncio.sleep(0.02)
    if announce is not None:
        announce()


async def _start(
    stack: AsyncExitStack, service: Service[Any], everyone: Sequence[Service[Any]], settings: PlaceSettings
) -> Running:
    replica = new_replica_id()
    bus = await stack.enter_async_context(open_bus(settings.bus_url, service=service.name, replica=replica))
    queues = [*durable_queues(settings.shards), *(q for s in everyone for q in s.durable_queues())]
    if not bus.features.survives_restart:
        await bus.apply_topology(queues)  # nobody can have prepared a bus that begins with us
    elif problems := await bus.check_topology(queues):
        raise SettingsError("\n".join(problems))
    return await stack.enter_async_context(running(service, settings, bus, replica=replica))


async def _until_stopped(stop: asyncio.Event, started: list[Running]) -> BaseException | None:
    """Wait for a signal (None) or for the first part that fails (its error)."""
    waiting = asyncio.create_task(stop.wait())
    parts: set[asyncio.Future[Any]] = {part for one in started for part in one.failed()}
    done, _ = await asyncio.wait({waiting, *parts}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return next((part.exception() for part in done & parts if not part.cancelled()), None)


def _stop_event() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; a second one ends the process now."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    return stop


def run(services: Sequence[Service[Any]], settings: PlaceSettings, announce: Callable[[], None] | None = None) -> int:
    """Run services in this process, on uvloop where there is one."""
    configure_logging(settings.log_level)
    # A database's writer thread takes the interpreter back after every statement; at Python's 5 ms it would wait that
    # long each time the event loop is busy, and every commit with it.
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(run_services(services, settings, announce))
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _loop_factory() -> Any:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
