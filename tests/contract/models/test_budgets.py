"""A spent budget degrades a turn and never stops it, and is exceeded by one call at most."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from parley.contracts.v1 import TurnCompleted
from parley.core import SettingsError, new_id
from parley.testing import VirtualClock
from parley.testing.builders import a_turn
from parley.testing.model import ModelServer, Script
from parley.testing.servers.redis import redis
from parley_ai_engine.admission.prices import Tariff
from parley_ai_engine.costs.budgets import Budget, Budgets, OverBudget, read_budgets
from parley_ai_engine.costs.counters import Counters, MemoryCounters, open_counters
from parley_ai_engine.costs.store import open_costs
from parley_ai_engine.costs.usage import Payer
from parley_ai_engine.settings import ModelSettings
from tests.contract.models.books import a_file, an_engine_with_books
from tests.contract.models.test_books import a_usage
from tests.contract.models.test_costs import README

ONE = Tariff(Decimal(1000), Decimal(1000), Decimal(1000), "CNY")  # a thousandth for each token
PAYER = Payer("demo", "ses_1", "turn_1")
(SHOWN,) = re.findall(r"```yaml\n(budgets:.*?)```", README, re.DOTALL)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.connected)])
async def counters(request: pytest.FixtureRequest) -> AsyncIterator[Counters]:
    async with AsyncExitStack() as stack:
        url = "memory:" if request.param == "memory" else (await stack.enter_async_context(redis())).url
        yield await stack.enter_async_context(open_counters(url))


def a_budget(per: str, most: float = 1, tenant: str = "*") -> Budget:
    return Budget.model_validate({"per": per, "most": most, "currency": "CNY", "tenant": tenant})


async def spend(budgets: Budgets, tokens: int, payer: Payer = PAYER, *, cost: Decimal | None = None) -> bool:
    """One call of so many thousandths; whether it was made."""
    try:
        async with budgets.hold(payer, ONE, (tokens, 0)) as hold:
            await asyncio.sleep(0)
            hold.cost = Decimal(tokens) / 1000 if cost is None else cost
    except OverBudget:
        return False
    return True


@pytest.mark.parametrize("per", ["turn", "session", "tenant", "day"])
async def test_a_budget_is_exceeded_by_one_call_at_most_also_by_many_at_once(counters: Counters, per: str) -> None:
    budgets = Budgets([a_budget(per)], counters, None, VirtualClock())
    payer = Payer(new_id("ten"), "ses_1", new_id("turn"))
    if per == "day":
        budgets = Budgets([a_budget(per, tenant=payer.tenant)], counters, None, VirtualClock())
    made = await asyncio.gather(*(spend(budgets, 300, payer) for _ in range(20)))
    assert sum(made) == 4, "0.9 are less than 1; with the next call it is 1.2, and no other begins"


async def test_what_a_call_did_not_use_is_given_back(counters: Counters) -> None:
    budgets = Budgets([a_budget("session")], counters, None, VirtualClock())
    payer = Payer(new_id("ten"), "ses_1", "turn_1")
    for _ in range(9):
        assert await spend(budgets, 1000, payer, cost=Decimal("0.1"))
    assert await spend(budgets, 1000, payer, cost=Decimal("0.1"))
    assert not await spend(budgets, 1, payer)


async def test_the_next_day_has_its_own_budget_and_other_tenants_theirs() -> None:
    clock = VirtualClock()
    budgets = Budgets([a_budget("tenant"), a_budget("tenant", 0, "trial-*")], MemoryCounters(), None, clock)
    assert await spend(budgets, 1000)
    assert not await spend(budgets, 1)
    assert await spend(budgets, 1, Payer("别家"))
    assert not await spend(budgets, 1, Payer("trial-9"))
    await clock.advance(86_400)
    assert await spend(budgets, 1)


async def test_a_new_process_knows_what_was_spent_before_it(tmp_path: Path) -> None:
    async with open_costs(a_file(tmp_path)) as books:
        for number in range(3):
            await books.add(a_usage(number, session="ses_1", price=ONE))  # 1.05 each
        for per, most, may in (
            ("session", 3.2, True),
            ("session", 3.1, False),
            ("tenant", 3.1, False),
            ("day", 4, True),
        ):
            budgets = Budgets([a_budget(per, most)], MemoryCounters(), books, VirtualClock())
            assert await spend(budgets, 1) is may, (per, most)


async def test_a_spent_budget_is_answered_by_the_quote_and_says_so(stand_in: ModelServer, tmp_path: Path) -> None:
    stand_in.script = Script("七天内可以退货。")
    (tmp_path / "prices.yaml").write_text(
        "prices: [{model: m, since: 2026-01-01, input: 1000, output: 1000, currency: CNY}]"
    )
    (tmp_path / "budgets.yaml").write_text("budgets: [{per: session, most: 0.2, currency: CNY}]")
    files = {name: str(tmp_path / f"{name}.yaml") for name in ("prices", "budgets")}
    model = ModelSettings(url=stand_in.url, model="m", key="k")
    async with an_engine_with_books(model, a_file(tmp_path), **files) as books:
        for number in range(6):
            await books.bench.publish(a_turn(f"第 {number} 次：多久可以退货？"))
            await books.bench.settled()
        replies = [
            (done.reply.origin, done.explanation.get("degraded", "")) for done in books.bench.sent(TurnCompleted)
        ]
        paid = Decimal((await books.ask("conversation")).lines[0].amounts[0].amount)
    asked = len(stand_in.ledger)
    assert replies == [("llm", "")] * asked + [("extractive", "m: over_budget")] * (6 - asked)
    assert 0 < asked < 6
    last = sum(stand_in.ledger.tokens()) / asked / 1000
    assert Decimal("0.2") <= paid <= Decimal("0.2") + Decimal(last), "by the last call at most"


def test_the_readmes_budgets_are_read_and_wrong_ones_refused_by_their_place(tmp_path: Path) -> None:
    file = tmp_path / "budgets.yaml"
    file.write_text(SHOWN, encoding="utf-8")
    assert [(budget.per, budget.tenant) for budget in read_budgets(file)] == [
        ("turn", "*"),
        ("tenant", "*"),
        ("tenant", "trial-*"),
    ]
    file.write_text(SHOWN.replace("turn", "hour"), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"budgets\.0\.per"):
        read_budgets(file)
