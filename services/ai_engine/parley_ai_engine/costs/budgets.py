"""Budgets in money: who has spent it takes a cheaper rung, or the quote, which costs nothing.

Before a call its dearest end is reserved, afterwards settled by what it cost: so a budget is exceeded by one call at
most, also when many run at once. A model without a price cannot be counted, and one that is free always may be asked.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parley.core import Clock, SettingsError, Unavailable
from parley.telemetry import Log
from parley_ai_engine.admission.prices import Tariff
from parley_ai_engine.costs.counters import Counters
from parley_ai_engine.costs.store.port import CostQuery, CostStore, CostSum, day_of
from parley_ai_engine.costs.usage import SPARED, Payer

DAY_SECONDS: Final = 86_400
NANO: Final = 1_000_000_000

log = Log("ai-engine")


class OverBudget(Exception):
    """The budget of this turn, session, tenant or day is spent: take the next rung."""


class Budget(BaseModel):
    """What may be spent in one turn, one session, by one tenant a day, or by all of them a day (UTC)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per: Literal["turn", "session", "tenant", "day"]
    most: Decimal = Field(ge=0)
    currency: str = Field(pattern="^[A-Z]{3}$")
    tenant: str = "*"


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    budgets: list[Budget]


def read_budgets(path: Path) -> list[Budget]:
    """The budgets of a file. Raises SettingsError that names the place to mend."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _File.model_validate(content).budgets
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f'PARLEY_AI_ENGINE_BUDGETS is "{path}", which cannot be read: {error}') from error
    except ValidationError as error:
        told = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise SettingsError(f'PARLEY_AI_ENGINE_BUDGETS is "{path}"; mend {"; ".join(told)}') from None


@dataclass
class Hold:
    """Money held for one call. `cost` is what it cost in the end: nothing, should it not come to a call."""

    cost: Decimal = Decimal(0)


class Budgets:
    """What was spent is counted from the books once for each session, tenant and day, then as it happens."""

    def __init__(self, rules: Iterable[Budget], counters: Counters, books: CostStore | None, clock: Clock) -> None:
        self._rules = list(rules)
        self._counters = counters
        self._books = books
        self._clock = clock

    @asynccontextmanager
    async def hold(self, payer: Payer, tariff: Tariff | None, tokens: tuple[int, int]) -> AsyncIterator[Hold]:
        """Keep (input, output) tokens' worth until the call is over. Raises OverBudget."""
        most = tariff.of(tokens[0], 0, tokens[1]) if tariff else Decimal(0)
        held = Hold()
        taken: list[str] = []
        try:
            for rule in self._fitting(payer, tariff) if most else ():
                name = self._name(rule, payer)
                if not await self._take(name, rule, payer, most):
                    raise OverBudget(f"the {rule.per}'s {rule.most:f} {rule.currency} are spent")
                taken.append(name)
            yield held
        finally:
            for name in taken:
                await self._counters.add(name, _nano(held.cost) - _nano(most))

    def _fitting(self, payer: Payer, tariff: Tariff | None) -> list[Budget]:
        currency = tariff.currency if tariff else ""
        return [rule for rule in self._rules if rule.currency == currency and fnmatchcase(payer.tenant, rule.tenant)]

    async def _take(self, name: str, rule: Budget, payer: Payer, amount: Decimal) -> bool:
        wanted = (_nano(rule.most), _nano(amount))
        taken = await self._counters.take(name, *wanted)
        if taken is None:
            taken = await self._counters.take(name, *wanted, seed=await self._spent(rule, payer))
        return bool(taken)

    async def _spent(self, rule: Budget, payer: Payer) -> int:
        """What the books say; what still waits on the queue is not in it."""
        query = self._query(rule, payer)
        if self._books is None or query is None:
            return 0
        try:
            return _nano(sum((_paid(one, rule.currency) for one in await self._books.sums(query)), Decimal(0)))
        except Unavailable as error:
            log.warning("budget.books_away", told=str(error))
            return 0

    def _query(self, rule: Budget, payer: Payer) -> CostQuery | None:
        today = self._clock.now() // DAY_SECONDS * DAY_SECONDS
        if rule.per == "turn":
            return None  # nothing was spent before it began
        if rule.per == "session":
            return CostQuery(payer.tenant, "conversation", only=(("conversation", payer.session),))
        return CostQuery(payer.tenant if rule.per == "tenant" else "", since=today)

    def _name(self, rule: Budget, payer: Payer) -> str:
        of = {
            "turn": payer.turn,
            "session": f"{payer.tenant}:{payer.session}",
            "tenant": f"{payer.tenant}:{day_of(self._clock.now())}",
            "day": f"{rule.tenant}:{day_of(self._clock.now())}",
        }[rule.per]
        return f"{rule.per}:{rule.currency}:{of}"


def _nano(amount: Decimal) -> int:
    return int(amount * NANO)


def _paid(one: CostSum, currency: str) -> Decimal:
    if one.price is None or one.price.currency != currency or one.saved_by in SPARED:
        return Decimal(0)
    return one.price.of(one.input_tokens, one.cached_tokens, one.output_tokens)
