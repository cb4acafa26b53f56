"""Every call stands in the books, once, and the books agree with the vendor's to the last token."""

import functools
from decimal import Decimal
from pathlib import Path

import pytest

from parley.bus.queues import EVENTS
from parley.contracts.v1 import CostLine, TurnCompleted, UsageRecorded
from parley.core import Invalid
from parley.testing import VirtualClock
from parley.testing.builders import a_turn
from parley.testing.model import ModelServer, Script
from parley_ai_engine.admission.prices import Tariff
from parley_ai_engine.costs.store import BY, CostQuery, open_costs
from parley_ai_engine.costs.usage import Payer, Usage
from parley_ai_engine.settings import ModelSettings
from tests.contract.models.books import a_file, an_engine_with_books
from tests.contract.models.test_costs import PRICES

NOW = VirtualClock().now()
CHEAP = Tariff(Decimal("0.6"), Decimal("0.15"), Decimal("1.6"), "CNY")
DEAR = Tariff(Decimal(6), Decimal("1.5"), Decimal(16), "CNY")


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.connected)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return a_file(tmp_path)
    found: str = request.getfixturevalue("database_url")
    return found


def a_usage(number: int, **given: object) -> Usage:
    session = given.pop("session", f"ses_{number}")
    payer = Payer("demo", str(session), f"turn_{number}", str(given.pop("channel", "web")), "王小明")
    told: dict[str, object] = {"input_tokens": 1000, "cached_tokens": 100, "output_tokens": 50, "price": CHEAP, **given}
    return Usage(f"use_{number}", payer, "qwen-plus", NOW + number, **told)  # type: ignore[arg-type]  # by name


def amounts(line: CostLine) -> list[str]:
    return [f"{Decimal(money.amount).normalize():f} {money.currency}" for money in line.amounts]


async def test_the_books_are_the_vendors_to_the_last_token(stand_in: ModelServer, url: str, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICES, encoding="utf-8")
    model = ModelSettings(url=stand_in.url, model="qwen-plus", key="k")
    async with an_engine_with_books(model, url, prices=str(prices)) as books:
        for number in range(9):
            stand_in.queue.append(Script("七天内可以退货，运费我们承担。" * (number % 3 + 1), cached_tokens=number))
            await books.bench.publish(a_turn(f"第 {number} 个订单多久可以退货？", session=f"ses_{number % 4}"))
        await books.bench.until(lambda: len(books.bench.sent(TurnCompleted)) == 9)
        await books.bench.settled()
        for by in BY:
            total = (await books.ask(by)).total
            assert (total.input_tokens, total.cached_tokens, total.output_tokens) == stand_in.ledger.tokens(), by
            assert (total.calls, total.estimated_calls, total.unpriced_calls) == (9, 0, 0)
        paid, cached, output = stand_in.ledger.tokens()
        exact = ((paid - cached) * Decimal("0.6") + cached * Decimal("0.15") + output * Decimal("1.6")) / 1_000_000
        assert amounts(total) == [f"{exact.normalize():f} CNY"]
        assert [line.key for line in (await books.ask("channel")).lines] == ["web"]
        assert len((await books.ask("conversation")).lines) == 4
        assert (await books.ask("day", session_id="ses_0")).total.calls == 3


async def test_a_call_that_is_told_twice_is_counted_once(stand_in: ModelServer, url: str) -> None:
    async with an_engine_with_books(ModelSettings(url=stand_in.url, model="m", key="k"), url) as books:
        for _ in range(3):
            await books.bench.publish(a_usage(1).event())
        await books.bench.settled()
        assert (await books.ask()).total.calls == 1


async def test_broken_and_refused_calls_stand_in_the_books_as_what_they_are(stand_in: ModelServer, url: str) -> None:
    stand_in.queue.extend([Script(status=403), Script("七天内可以退货。", fault="broken")])
    async with an_engine_with_books(ModelSettings(url=stand_in.url, model="m", key="k"), url) as books:
        recorded = functools.partial(books.bench.sent, UsageRecorded)
        for number in (1, 2):
            await books.bench.publish(a_turn(seconds=900))
            await books.bench.until(functools.partial(lambda n: len(recorded()) == n, number))
            await books.bench.settled()
            await books.bench.clock.advance(120)  # the breaker closes
        outcomes = [(usage.outcome, usage.estimated) for usage in books.bench.sent(UsageRecorded)]
        assert outcomes == [("forbidden", False), ("unreachable", True)]
        total = (await books.ask()).total
        assert (total.calls, total.estimated_calls, total.unpriced_calls) == (2, 1, 1)
        assert total.output_tokens > 0


async def test_what_was_saved_is_the_difference_of_the_prices(url: str) -> None:
    async with open_costs(url) as costs:
        await costs.add(a_usage(1))
        await costs.add(a_usage(2, saved_by="cache", instead=CHEAP, outcome="spared"))
        await costs.add(a_usage(3, saved_by="small_model", instead=DEAR))
        async with an_engine_with_books(ModelSettings(), url) as books:
            total = (await books.ask()).total
        one = CHEAP.of(1000, 100, 50)
        assert total.calls == 2, "a spared call was not made"
        assert amounts(total) == [f"{(2 * one).normalize():f} CNY"]
        saved = {saving.by: Decimal(saving.amounts[0].amount) for saving in total.saved}
        assert saved == {"cache": one, "small_model": DEAR.of(1000, 100, 50) - one}


async def test_a_tenant_and_a_time_see_only_their_own(url: str) -> None:
    async with open_costs(url) as costs:
        for number in (0, 100, 90_000):
            await costs.add(a_usage(number))
        assert await costs.sums(CostQuery("别家")) == []
        first = await costs.sums(CostQuery("demo", since=NOW, until=NOW + 100))
        assert [one.calls for one in first] == [1]
        days = await costs.sums(CostQuery("demo", "day"))
        assert sorted((one.key, one.calls) for one in days) == [("2027-01-15", 2), ("2027-01-16", 1)]
    async with open_costs(url) as again:
        assert sum(one.calls for one in await again.sums(CostQuery("", "model"))) == 3


async def test_costs_by_the_weather_are_refused(url: str) -> None:
    async with an_engine_with_books(ModelSettings(), url) as books:
        with pytest.raises(Invalid, match="conversation, contact, channel, model, day"):
            await books.ask("weather")


def test_each_service_has_one_queue_for_what_it_observes() -> None:
    from parley_ai_engine.service import service

    assert [queue.name for queue in service.durable_queues()] == [f"ai-engine.{EVENTS.name}"]
