"""A desk of separate processes on real servers, each behind a fault proxy, under a steady load."""

import asyncio
import contextlib
import itertools
import math
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from parley.testing.awake import AwakeClock
from parley.testing.fault_proxy import FaultProxy, fault_proxy
from parley.testing.ledger import Ledger, Verdict
from parley.testing.ledger_checks import waits_for_a_person
from parley.testing.servers import MongoDB, free_port, mongodb
from parley.testing.servers.ports import answers
from parley.testing.servers.rabbitmq import RabbitNode, rabbit_node
from parley.testing.supervisor import READY, ServiceProcess, Supervisor, supervisor
from parley.testing.visitor import Visitor, read_history
from tests.faults import table

MARKS = [pytest.mark.connected, pytest.mark.faults, pytest.mark.asyncio(loop_scope="session")]
# The short form by default; `make faults` runs the length that the promises are stated for.
SECONDS = float(os.environ.get("PARLEY_TEST_FAULT_SECONDS") or "8")
LONG = SECONDS > 15
CRASH_SECONDS, FROZEN_SECONDS, BROKER_SECONDS = 5.0, 35.0, 10.0  # what README promises
QUIET_SECONDS = 90.0
AFTERWARDS = 1.5  # that visitors write on after the fault, or who would tell that it is over?
ROUTERS = 3  # at most
AWAKE = AwakeClock()  # the time of all fault tests
SERVICES = ("session-router", "ai-engine", "gateway")


@dataclass(frozen=True)
class Load:
    """So many visitors, each writing so often, for so long and until the fault is over."""

    visitors: int = 10
    per_second: float = 2.0
    seconds: float = SECONDS
    messages: int = 0  # of each visitor, at most; 0: no limit


@dataclass
class Desk:
    """Everything of one desk. Services reach the broker and the database by way of `bus_line` and `database_line`."""

    services: Supervisor
    broker: RabbitNode
    bus_line: FaultProxy
    database: MongoDB
    database_line: FaultProxy
    front: FaultProxy  # between visitors and the gateway
    port: int
    router_ports: list[int]
    spare_port: int  # of a second gateway
    ledger: Ledger = field(default_factory=lambda: Ledger(AWAKE.now))
    visitors: list[Visitor] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def operator_key(self) -> str:
        return (self.services.folder / "operator.key").read_text().strip()

    @property
    def lines(self) -> tuple[FaultProxy, ...]:
        return self.bus_line, self.database_line, self.front

    def over(self, what: str) -> None:
        """A fault has just ended; recovery counts from here."""
        self.ledger.over(what, AWAKE.now())

    def launch(self, service: str, replica: int = 1) -> ServiceProcess:
        """Start a process of a service; its first replica bears the service's name, the second `NAME-2`."""
        listen = f"127.0.0.1:{self.router_ports[replica - 1]}" if service == "session-router" else ""
        name = service if replica == 1 else f"{service}-{replica}"
        port = self.port if replica == 1 else self.spare_port
        return self.services.launch(service, name, PARLEY_SESSION_ROUTER_LISTEN=listen, PARLEY_GATEWAY_PORT=str(port))

    async def until_served(self, seconds: float) -> None:
        """Wait until every visitor who has written since the last fault was answered. Raises TimeoutError."""
        what, at = self.ledger.faults[-1]
        await until(lambda: math.isfinite(self.ledger.recovery(what, at).everyone), seconds)

    async def mend(self) -> None:
        """As it was in the beginning: every line whole, every process running and ready."""
        for line in self.lines:
            line.heal()
        self.front.lead_to(self.port)
        self.broker.process.thaw()
        self.database.process.thaw()
        for process in self.services.processes.values():
            process.thaw()
            if process.exit_code is not None:
                process.launch()
        await self.services.ready()
        await self.until_open()

    async def until_open(self) -> None:
        """Wait for the gateway's public port as well: its health port may be ready a moment earlier."""
        async with asyncio.timeout(30):
            while not await answers(self.port, **READY):  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.05)

    async def under_load(
        self, fault: Callable[[], Coroutine[Any, Any, None]], load: Load | None = None, *, fresh: bool = True
    ) -> Verdict:
        """Let visitors write while `fault` happens; wait until all is answered or a long time has gone; judge."""
        load = load or Load()
        if fresh:
            self.ledger = Ledger(AWAKE.now)
        self.visitors = [Visitor(lambda: self.front.address, self.ledger) for _ in range(load.visitors)]
        living = [asyncio.create_task(visitor.live()) for visitor in self.visitors]
        try:
            await until(lambda: all(v.connected for v in self.visitors), 60)
            breaking = asyncio.create_task(fault())
            stop = asyncio.Event()
            writing = [asyncio.create_task(_write(v, load, n, stop)) for n, v in enumerate(self.visitors)]
            await asyncio.gather(breaking, asyncio.sleep(load.seconds))
            await asyncio.sleep(AFTERWARDS)
            stop.set()
            await asyncio.gather(*writing)
            await self._until_quiet()
            history = {v.session: await read_history(self.url, v) for v in self.visitors}
        finally:
            await asyncio.gather(*(visitor.stop() for visitor in self.visitors))
            await asyncio.gather(*living)
        return self.ledger.verdict(history)

    async def _until_quiet(self) -> None:
        """Everything acknowledged and answered, and nothing new for a moment."""
        deadline = AWAKE.now() + QUIET_SECONDS
        quiet = 0
        while quiet < 5 and AWAKE.now() < deadline:
            before = sum(map(len, self.ledger.seen.values()))
            for visitor in self.visitors:
                await visitor.resend_stale()
            await asyncio.sleep(0.1)
            calm = before == sum(map(len, self.ledger.seen.values())) and all(map(_served, self.visitors))
            quiet = quiet + 1 if calm else 0


def _served(visitor: Visitor) -> bool:
    """Whether everything that it wrote was acknowledged and something was said after it."""
    own = [entry.seq for entry in visitor.ledger.sent.values() if entry.session == visitor.session]
    seen = visitor.ledger.seen.get(visitor.session, [])
    said = max((event.seq for event in seen if event.kind == "message_end"), default=0)
    return visitor.connected and not visitor.unacked and (said >= max(own, default=0) or waits_for_a_person(seen))


async def _write(visitor: Visitor, load: Load, number: int, stop: asyncio.Event) -> None:
    """Write at fixed moments, late ones too: an open loop."""
    begin = AWAKE.now() + number / load.visitors / load.per_second
    for turn in range(load.messages) if load.messages else itertools.count():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, begin + turn / load.per_second - AWAKE.now())):
                await stop.wait()
        if stop.is_set():
            return
        await visitor.say(f"第 {turn} 个问题 from {number}")
        await visitor.resend_stale()
    while not stop.is_set():
        await visitor.resend_stale()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await stop.wait()


@asynccontextmanager
async def a_desk(
    environment: Mapping[str, str] | None = None,
    *,
    given: RabbitNode | None = None,
    services: tuple[str, ...] = SERVICES,
) -> AsyncIterator[Desk]:
    """A desk that is ready, with servers of its own unless a broker is given."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(AWAKE.beating())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-", ignore_cleanup_errors=True)))
        broker = given if given is not None else await stack.enter_async_context(rabbit_node())
        database = await stack.enter_async_context(mongodb(durable=True))
        host, _, database_port = database.url.removeprefix("mongodb://").partition(":")
        bus_line = await stack.enter_async_context(fault_proxy("127.0.0.1", broker.ports.amqp))
        database_line = await stack.enter_async_context(fault_proxy(host, int(database_port.split("/")[0])))
        port = free_port()
        front = await stack.enter_async_context(fault_proxy("127.0.0.1", port))
        settings = {
            "PARLEY_HOME": str(folder),
            "PARLEY_BUS_URL": bus_line.through(broker.url),
            "PARLEY_DATABASE_URL": database_line.through(database.database("parley")),
            "PARLEY_GATEWAY_PORT": str(port),
            "PARLEY_GATEWAY_HOST": "127.0.0.1",
            "PARLEY_DEMO": "1",
            "PARLEY_TRACE_RATIO": "0",
            "PARLEY_DRAIN_SECONDS": "2",
            "PARLEY_AI_ENGINE_ECHO": "1",
            **(environment or {}),
        }
        ports = [free_port() for _ in range(ROUTERS)]
        settings["PARLEY_SESSION_ROUTER_URL"] = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
        processes = await stack.enter_async_context(supervisor(folder, settings))
        await processes.cli("topology", "apply")
        desk = Desk(processes, broker, bus_line, database, database_line, front, port, ports, free_port())
        for service in services:
            desk.launch(service)
        await processes.ready()
        await desk.until_open()
        yield desk


def judged(name: str, what: str, verdict: Verdict) -> Verdict:
    """Print the line and keep it for the table of docs/reliability.md."""
    print(f"\n{name} {what}: {verdict.line()}")
    table.add(name, what, verdict)
    return verdict


async def until(fact: Callable[[], object], seconds: float) -> None:
    """Wait for a fact. Raises TimeoutError."""
    deadline = AWAKE.now() + seconds
    while not fact():
        if AWAKE.now() > deadline:
            raise TimeoutError(f"not within {seconds:g} s")
        await asyncio.sleep(0.02)
