"""What a service is: a name, its dependencies, and the handlers, questions and tasks that it serves."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import grpc.aio

from parley.bus import Event, Exchange, Queue
from parley.bus.queues import observer, replica_observer
from parley.service.context import Context

D = TypeVar("D")
E = TypeVar("E", bound=Event)

Handler = Callable[[E, Context[D]], Awaitable[None]]
QueueFor = Callable[[Context[Any]], Queue[Any]]
Concurrency = int | Callable[[Context[Any]], int]


@dataclass(frozen=True)
class Consumption:
    """One handler and the queue that feeds it. `queue_for` may name a queue of this replica."""

    queue_for: QueueFor
    handler: Handler[Any, Any]
    concurrency: Concurrency
    ordered: bool
    observes: tuple[Exchange, type[Event], str] | None = None

    def slots(self, ctx: Context[Any]) -> int:
        """How many events it may work on at once."""
        return self.concurrency(ctx) if callable(self.concurrency) else self.concurrency


class Service(Generic[D]):
    """A service as its developer meets it; `parley run NAME` gives it life.

    `opens` is an async context manager that makes `Deps` from the context; whatever it opens is closed at the end.
    """

    def __init__(
        self,
        name: str,
        deps: type[D] | None = None,
        *,
        opens: Callable[[Context[Any]], AbstractAsyncContextManager[D]] | None = None,
    ) -> None:
        self.name = name
        self.deps_type = deps
        self.opens = opens
        self.consumptions: list[Consumption] = []
        self.servicers: list[Callable[[Context[D], grpc.aio.Server], None]] = []
        self.tasks: list[Callable[[Context[D]], Awaitable[None]]] = []

    def consumes(
        self, queue: Queue[E] | QueueFor, *, concurrency: Concurrency = 64, ordered: bool = False
    ) -> Callable[[Handler[E, D]], Handler[E, D]]:
        """Work, shared by replicas. `ordered`: events of one session one after another, sessions side by side."""

        def register(handler: Handler[E, D]) -> Handler[E, D]:
            queue_for: QueueFor = (lambda _: queue) if isinstance(queue, Queue) else queue
            self.consumptions.append(Consumption(queue_for, handler, concurrency, ordered))
            return handler

        return register

    def observes(
        self,
        exchange: Exchange,
        event: type[E],
        *,
        per: Literal["service", "replica"] = "service",
        concurrency: Concurrency = 64,
    ) -> Callable[[Handler[E, D]], Handler[E, D]]:
        """Facts: each service has its own copy, in order per session; `per="replica"`: each replica has."""

        def register(handler: Handler[E, D]) -> Handler[E, D]:
            fact = (exchange, event, per)
            self.consumptions.append(Consumption(_no_queue, handler, concurrency, ordered=True, observes=fact))
            return handler

        return register

    def serves(self, add: Callable[[Context[D], grpc.aio.Server], None]) -> None:
        """Questions over gRPC: `add` registers a servicer with the service's one server."""
        self.servicers.append(add)

    def runs(self, task: Callable[[Context[D]], Awaitable[None]]) -> Callable[[Context[D]], Awaitable[None]]:
        """A task for the service's whole life. It ends soon after `ctx.draining` is set; earlier is a failure."""
        self.tasks.append(task)
        return task

    def readings(self, ctx: Context[D]) -> list[tuple[Queue[Any], list[Consumption]]]:
        """Every queue this replica reads, with its handlers. Observers of one exchange share one queue."""
        own = [(c.queue_for(ctx), [c]) for c in self.consumptions if c.observes is None]
        return own + [
            (self._observed(exchange, per, found, ctx.replica), found)
            for (exchange, per), found in self._observers().items()
        ]

    def durable_queues(self) -> list[Queue[Any]]:
        """The queues that `parley topology apply` makes for this service's observers."""
        return [
            self._observed(exchange, per, found, "")
            for (exchange, per), found in self._observers().items()
            if per == "service"
        ]

    def _observers(self) -> dict[tuple[Exchange, str], list[Consumption]]:
        grouped: dict[tuple[Exchange, str], list[Consumption]] = {}
        for consumption in self.consumptions:
            if consumption.observes:
                exchange, _, per = consumption.observes
                grouped.setdefault((exchange, per), []).append(consumption)
        return grouped

    def _observed(self, exchange: Exchange, per: str, found: list[Consumption], replica: str) -> Queue[Any]:
        kinds = [c.observes[1] for c in found if c.observes]
        if per == "service":
            return observer(self.name, exchange, *kinds)
        return replica_observer(self.name, replica, exchange, *kinds)

    @asynccontextmanager
    async def open_deps(self, ctx: Context[Any], given: D | None = None) -> AsyncIterator[D]:
        """The dependencies: those given (tests), else what `opens` makes, else nothing."""
        if given is not None:
            yield given
        elif self.opens is not None:
            async with self.opens(ctx) as deps:
                yield deps
        else:
            yield None  # type: ignore[misc]  # a service without dependencies has D = None


def _no_queue(_: Context[Any]) -> Queue[Any]:
    raise AssertionError("an observer's queue is made from its exchange")
