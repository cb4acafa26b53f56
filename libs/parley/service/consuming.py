"""From a delivery to its outcome: handled, tried again, or parked. The one place that knows what an exception means.

The outcomes of a handler, the whole list: return = settled after its events are confirmed; `raise Later(after=…)` =
tried again, counted; `raise Reject(reason)` = parked now; any other exception = counted, tried again with backoff, then
parked.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from parley.bus import Delivery, Event, Queue
from parley.bus.dead_letters import park
from parley.core import Later, ParleyError, Reject
from parley.service.context import Context, Handling, _handling
from parley.service.definition import Consumption
from parley.telemetry import counter, histogram, names, record, span
from parley.telemetry.tracing import TraceContext

MAX_ATTEMPTS = 5
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0


class Consumer:
    """Runs the handlers of one queue."""

    def __init__(self, ctx: Context[Any], queue: Queue[Any], handlers: Sequence[Consumption]) -> None:
        self._ctx = ctx
        self._queue = queue
        self._handlers = {kind: c for c in handlers for kind in ([c.observes[1]] if c.observes else queue.events)}
        self._ordered = any(c.ordered for c in handlers)
        self._slots = asyncio.Semaphore(max(c.slots(ctx) for c in handlers))
        self._running: set[asyncio.Task[None]] = set()
        self._last_of_session: dict[str, asyncio.Task[None]] = {}
        self._wait = histogram(names.QUEUE_WAIT_SECONDS, ctx.service, queue.name)
        self._time = histogram(names.HANDLER_SECONDS, ctx.service, queue.name)

    def take(self, deliveries: list[Delivery]) -> None:
        """Called by the bus with what arrived, in order."""
        for delivery in deliveries:
            before = self._chain(delivery)
            task = asyncio.create_task(self._settle(delivery, before))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            self._remember(delivery, task)

    @property
    def idle(self) -> bool:
        """Whether nothing runs."""
        return not self._running

    async def finish(self, timeout: float) -> None:
        """Wait for what runs; what is not done by then is cancelled and delivered again to somebody else."""
        if self._running:
            _, late = await asyncio.wait(set(self._running), timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _chain(self, delivery: Delivery) -> asyncio.Task[None] | None:
        session = delivery.event.meta.session_id if self._ordered and delivery.event else ""
        return self._last_of_session.get(session) if session else None

    def _remember(self, delivery: Delivery, task: asyncio.Task[None]) -> None:
        session = delivery.event.meta.session_id if self._ordered and delivery.event else ""
        if session:
            self._last_of_session[session] = task
            task.add_done_callback(lambda done: self._forget(session, done))

    def _forget(self, session: str, task: asyncio.Task[None]) -> None:
        if self._last_of_session.get(session) is task:
            del self._last_of_session[session]

    async def _settle(self, delivery: Delivery, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        outcome = await self._outcome(delivery)
        delivery.settle()
        counter(names.EVENTS_HANDLED, self._ctx.service, self._queue.name, outcome).inc()

    async def _outcome(self, delivery: Delivery) -> str:
        event = delivery.event
        consumption = self._handlers.get(type(event)) if event is not None else None
        if event is None or consumption is None:
            cause = delivery.problem or f"{type(event).__name__} does not belong on {self._queue.name}"
            return await self._park(delivery, f"Reject: {cause}", 1)
        context = self._ctx.tracing.follow(event.meta.traceparent)
        self._note_wait(event, delivery, context)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            problem, pause = await self._attempt(consumption, event, context, attempt)
            if not problem:
                return "handled"
            if pause is None or attempt == MAX_ATTEMPTS:
                return await self._park(delivery, problem, attempt)
            await self._ctx.clock.sleep(pause)
        raise AssertionError("the last attempt parks")

    async def _attempt(
        self, consumption: Consumption, event: Event, context: TraceContext, attempt: int
    ) -> tuple[str, float | None]:
        """What went wrong, and the pause before the next attempt (None: there is none)."""
        handling = Handling(event)
        token = _handling.set(handling)
        try:
            async with self._slots:
                await self._handle(consumption, event, context)
            for owed in handling.owed:  # its slot is free for others while the bus confirms what it has published
                await owed
            return "", None
        except Reject as error:
            return f"Reject: {error}", None
        except Later as error:
            return f"Later: {error}", error.after
        except Exception as error:  # noqa: BLE001 - the runner owns the catch-all: counted, retried, parked
            expected = error if isinstance(error, ParleyError) else None
            self._ctx.log.warning(
                "handler.failed", queue=self._queue.name, error=repr(error), attempt=attempt, expected=bool(expected)
            )
            return f"{type(error).__name__}: {error}", _backoff(attempt)
        finally:
            handling.over = True
            _handling.reset(token)

    async def _handle(self, consumption: Consumption, event: Event, context: TraceContext) -> None:
        began = self._ctx.clock.monotonic()
        try:
            with span(f"{names.PROCESS_EVENT} {type(event).__name__}", kind="consumer", context=context) as recording:
                recording.set(names.MESSAGING_DESTINATION, self._queue.name)
                recording.set(names.SESSION, event.meta.session_id)
                await consumption.handler(event, self._ctx)
        finally:
            self._time.observe(self._ctx.clock.monotonic() - began)

    async def _park(self, delivery: Delivery, cause: str, attempts: int) -> str:
        await park(self._ctx.bus, self._queue, delivery, cause=cause, attempts=attempts, service=self._ctx.service)
        counter(names.EVENTS_PARKED, self._ctx.service, self._queue.name).inc()
        self._ctx.log.error("event.parked", queue=self._queue.name, cause=cause, attempts=attempts)
        return "parked"

    def _note_wait(self, event: Event, delivery: Delivery, context: TraceContext) -> None:
        published = event.meta.occurred_at.seconds + event.meta.occurred_at.nanos / 1e9
        self._wait.observe(max(0.0, delivery.received_at - published))
        record(
            names.WAIT_IN_QUEUE,
            published,
            delivery.received_at,
            context=context,
            kind="consumer",
            messaging__destination__name=self._queue.name,
        )


def _backoff(attempt: int) -> float:
    """Full jitter, doubled per attempt, capped."""
    pause: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))
    return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
