"""The rungs with a model on them: the chosen one, another one, our own. The first that answers, answers.

Below them stand the quote (L3), the rules (L4) and saying that we do not know (L5).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from parley.core import Clock, new_id
from parley.telemetry import Log, Recording, counter, gauge, histogram, names, span
from parley_ai_engine.admission.breaker import Breaker
from parley_ai_engine.admission.estimate import prompt_tokens, tokens_of
from parley_ai_engine.admission.gate import Gate, NotAdmitted, Permit
from parley_ai_engine.admission.prices import Price, price_of
from parley_ai_engine.admission.retrying import Retrying
from parley_ai_engine.costs.budgets import Budgets, Hold, OverBudget
from parley_ai_engine.costs.usage import NOBODY, SPARED, Payer, Usage, explained
from parley_ai_engine.providers.port import HOPELESS, Ask, Model, ModelFailed, ModelReply

LEVELS: Final = ("main", "other", "local")
KEPT_BACK_SECONDS: Final = 1.0
LEAST_SECONDS: Final = 0.2  # too little is left to begin another call

log = Log("ai-engine")


@dataclass(frozen=True, slots=True)
class Route:
    """One model with its breaker. `level` is main, other or local."""

    model: Model
    breaker: Breaker
    level: str = "main"
    gate: Gate | None = None
    max_tokens: int = 500  # of an answer, where the question names no other number

    @property
    def rung(self) -> str:
        """L0, L1 or L2."""
        return f"L{LEVELS.index(self.level)}"

    @property
    def origin(self) -> str:
        """What a reply of this route is called."""
        return "local_llm" if self.level == "local" else "llm"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A route begins to answer; nothing before it was shown."""

    route: Route


Piece = Chosen | str | ModelReply


class NoModel(Exception):
    """No route answered. `shown` when the answer broke off after some of it was shown."""

    def __init__(self, *, shown: bool = False) -> None:
        super().__init__("no model answered")
        self.shown = shown


@dataclass
class Tried:
    """What became of each route and what it cost, for the turn's explanation."""

    notes: list[str] = field(default_factory=list)
    calls: list[Usage] = field(default_factory=list)
    saved_by: str = ""  # no model was asked for this turn: cache, single_flight
    on_accepted: Callable[[], Awaitable[None]] | None = None

    async def accepted(self) -> None:
        """The answer was shown whole: every guard has let it pass."""
        if self.on_accepted is not None:
            await self.on_accepted()

    def why(self) -> dict[str, str]:
        """As it is explained."""
        degraded = {"degraded": "; ".join(self.notes)} if self.notes else {}
        saved = {"saved_by": self.saved_by} if self.saved_by else {}
        return {**degraded, **saved, **explained(self.calls)}

    def note(self, route: Route, how: str) -> None:
        """One route did not answer."""
        self.notes.append(f"{route.model.name}: {how}")


@dataclass(frozen=True, slots=True)
class _Call:
    """What is asked, for whom, and until when on the monotonic clock."""

    ask: Ask
    payer: Payer
    end: float


@dataclass
class _Running:
    """One call under way, as it will stand in the books."""

    route: Route
    call: _Call
    attempt: int
    began: float
    text: str = ""
    first_ms: int = 0

    def came(self, piece: str) -> None:
        """More of the answer."""
        self.first_ms = self.first_ms or self._passed()
        self.text += piece

    def answered(self, end: ModelReply) -> Usage:
        """What the vendor told; where it told nothing, an estimate."""
        if not end.reported:
            return self._estimated("answered")
        told = (end.input_tokens, end.cached_tokens, end.output_tokens)
        return self._usage("answered", told, estimated=False)

    def broke_off(self, error: BaseException) -> Usage:
        """An answer of which something came is paid for, though nobody says how much; a refusal is not."""
        outcome = error.kind if isinstance(error, ModelFailed) else "cancelled"
        return self._estimated(outcome) if self.text else self._usage(outcome, (0, 0, 0), estimated=False)

    def _estimated(self, outcome: str) -> Usage:
        return self._usage(outcome, (prompt_tokens(self.call.ask), 0, tokens_of(self.text)), estimated=True)

    def _usage(self, outcome: str, tokens: tuple[int, int, int], *, estimated: bool) -> Usage:
        """The price goes by the model that was asked for, whatever name comes back."""
        return Usage(
            new_id("use"),
            self.call.payer,
            self.route.model.name,
            0.0,
            self.route.level,
            outcome,
            self.attempt,
            *tokens,
            estimated=estimated,
            first_ms=self.first_ms,
            total_ms=self._passed(),
        )

    def _passed(self) -> int:
        return round((time.monotonic() - self.began) * 1000)


class Ladder:
    """Asks route after route until one answers, within one limit for all of them."""

    def __init__(
        self,
        routes: Sequence[Route],
        clock: Clock,
        *,
        total_seconds: float = 30.0,
        retrying: Retrying | None = None,
        prices: Sequence[Price] = (),
        book: Callable[[Usage], None] = lambda _: None,
        budgets: Budgets | None = None,
    ) -> None:
        self._budgets = budgets
        self._book = book
        self._prices = prices
        self._routes = sorted(routes, key=lambda route: route.rung)
        self._clock = clock
        self._total = total_seconds
        self._retrying = retrying or Retrying(clock)

    @property
    def name(self) -> str:
        """All its models, as one name: answers of other models are other answers."""
        return " ".join(route.model.name for route in self._routes)

    def route(self, model: str) -> Route:
        """The route of a model, the first where there is none of that name any more."""
        return next((route for route in self._routes if route.model.name == model), self._routes[0])

    async def chat(self, ask: Ask, deadline: float, tried: Tried, payer: Payer = NOBODY) -> AsyncGenerator[Piece, None]:
        """A Chosen, pieces of text, one ModelReply. Raises NoModel. Never another route once text was shown.

        `deadline` is the turn's, in unix seconds; what is kept back of it is for the rungs below.
        """
        left = deadline - KEPT_BACK_SECONDS - self._clock.now()
        end = self._clock.monotonic() + min(self._total, left)
        for route in self._routes:
            if end - self._clock.monotonic() < LEAST_SECONDS:
                tried.note(route, "no time left")
                continue
            if not route.breaker.admit():
                tried.note(route, "left alone")
                continue
            async with aclosing(self._climb(route, _Call(ask, payer, end), tried)) as pieces:
                answered = False
                async for piece in pieces:
                    if not answered:
                        answered = True
                        yield Chosen(route)
                    yield piece
            if answered:
                return
        raise NoModel

    async def _climb(self, route: Route, call: _Call, tried: Tried) -> AsyncGenerator[str | ModelReply, None]:
        """One route's answer; nothing at all when it failed before its first piece."""
        shown, settled = False, False
        try:
            async with AsyncExitStack() as stack:
                piece, rest = await self._retrying.begin(
                    lambda n: self._try(route, call, tried, n), route.model.name, call.end
                )
                stack.push_async_callback(rest.aclose)
                while True:
                    shown = True
                    yield piece
                    if isinstance(piece, ModelReply):
                        break
                    piece = await anext(rest)
            settled = True
        except ModelFailed as error:
            settled = True
            tried.note(route, error.kind)
            if shown:
                raise NoModel(shown=True) from error
        finally:
            if not settled:
                route.breaker.release()

    async def _try(
        self, route: Route, call: _Call, tried: Tried, number: int
    ) -> AsyncGenerator[str | ModelReply, None]:
        """One call, timed, traced and told to the breaker."""
        name, began = route.model.name, time.monotonic()
        if number > 1 and not route.breaker.admit():
            raise ModelFailed("left_alone", "the model is left alone for a while")
        with span(f"{names.CHAT} {name}", kind="client") as recording:
            recording.set(names.GEN_AI_OPERATION, "chat")
            recording.set(names.GEN_AI_MODEL, name)
            recording.set(names.ATTEMPT, number)
            try:
                async with (
                    self._admitted(route, call) as (permit, hold),
                    aclosing(route.model.chat(call.ask)) as pieces,
                ):
                    running = _Running(route, call, number, time.monotonic())
                    try:
                        while not isinstance(piece := await self._next(pieces, call.end), ModelReply):
                            running.came(piece)
                            yield piece
                        permit.used = piece.input_tokens + piece.output_tokens if piece.reported else None
                    except BaseException as error:
                        hold.cost = self.note(running.broke_off(error), tried)
                        raise
                    hold.cost = self.note(running.answered(piece), tried)
                route.breaker.settle()
                _note_usage(recording, piece)
                yield piece
            except ModelFailed as error:
                recording.fail(error.kind)
                self._failed(route, error)
                raise
            finally:
                histogram(names.GEN_AI_SECONDS, name).observe(time.monotonic() - began)
                gauge(names.BREAKER_OPEN, name).set(route.breaker.state != "closed")

    def note(self, usage: Usage, tried: Tried) -> Decimal:
        """One call is over: into the turn's explanation and the desk's books. What it cost."""
        now = self._clock.now()
        price = price_of(usage.model, self._prices, now)
        usage = replace(usage, at=now, price=price, instead=price if usage.saved_by in SPARED else usage.instead)
        cost = usage.cost()
        if cost:
            counter(names.MODEL_COST, usage.model, usage.price.currency if usage.price else "").inc(float(cost))
        tried.calls.append(usage)
        self._book(usage)
        return cost

    @asynccontextmanager
    async def _admitted(self, route: Route, call: _Call) -> AsyncIterator[tuple[Permit, Hold]]:
        """The money and a place at the model, for as long as the call takes. Raises ModelFailed."""
        asked, answered = prompt_tokens(call.ask), call.ask.max_tokens or route.max_tokens
        permit, hold = Permit(0), Hold()
        async with AsyncExitStack() as stack:
            try:
                if self._budgets is not None:
                    tariff = price_of(route.model.name, self._prices, self._clock.now())
                    hold = await stack.enter_async_context(self._budgets.hold(call.payer, tariff, (asked, answered)))
                if route.gate is not None:
                    permit = await stack.enter_async_context(
                        route.gate.enter(call.payer.tenant, asked + answered, call.end)
                    )
            except NotAdmitted as error:
                raise ModelFailed("not_admitted", str(error)) from None
            except OverBudget as error:
                raise ModelFailed("over_budget", str(error)) from None
            yield permit, hold

    async def _next(self, pieces: AsyncGenerator[str | ModelReply, None], end: float) -> str | ModelReply:
        try:
            async with asyncio.timeout(max(0.0, end - self._clock.monotonic())):
                return await anext(pieces)
        except ModelFailed:
            raise
        except TimeoutError:
            raise ModelFailed("timeout", "the turn's time for models is over") from None
        except StopAsyncIteration:
            raise ModelFailed("truncated", "the provider ended without a ModelReply") from None
        except Exception as error:
            log.error("provider.broken", exc=error)
            raise ModelFailed("malformed", f"the provider raised {type(error).__name__}") from error

    def _failed(self, route: Route, error: ModelFailed) -> None:
        if error.kind in {"not_admitted", "over_budget"}:
            route.breaker.release()  # our own limit says nothing about the model
        else:
            route.breaker.settle(error.kind, error.retry_after)
        counter(names.MODEL_FAILURES, route.model.name, error.kind).inc()
        tell = log.error if error.kind in HOPELESS else log.warning
        tell("model.failed", kind=error.kind, model=route.model.name, told=str(error))


def _note_usage(recording: Recording, end: ModelReply) -> None:
    recording.set(names.GEN_AI_RESPONSE_MODEL, end.model)
    recording.set(names.GEN_AI_FINISH, end.finish_reason)
    recording.set(names.GEN_AI_INPUT_TOKENS, end.input_tokens)
    recording.set(names.GEN_AI_OUTPUT_TOKENS, end.output_tokens)
    recording.set(names.GEN_AI_CACHED_TOKENS, end.cached_tokens)
    counter(names.GEN_AI_TOKENS, end.model, "input").inc(end.input_tokens)
    counter(names.GEN_AI_TOKENS, end.model, "output").inc(end.output_tokens)
