"""What a turn cost is what the vendor's own book says, to the last token."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from parley.core import SettingsError
from parley.testing import VirtualClock
from parley.testing.model import ModelServer, Script
from parley_ai_engine.admission.breaker import Breaker
from parley_ai_engine.admission.prices import read_prices
from parley_ai_engine.pipeline.ladder import Route
from tests.contract.models.test_ladder import Desk, a_desk
from tests.contract.models.vendors import VENDORS, a_model

README = (Path(__file__).parents[3] / "services" / "ai_engine" / "README.md").read_text(encoding="utf-8")
(PRICES,) = re.findall(r"```yaml\n(prices:.*?)```", README, re.DOTALL)


@pytest.fixture
def price_file(tmp_path: Path) -> Path:
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES, encoding="utf-8")
    return file


@pytest.mark.parametrize("vendor", VENDORS)
async def test_the_costs_of_all_turns_are_the_vendors_book(
    stand_in: ModelServer, price_file: Path, vendor: str
) -> None:
    clock = VirtualClock()
    total = Decimal(0)
    async with a_model(stand_in, vendor, "qwen-plus") as model:
        desk = Desk([Route(model, Breaker(clock))], clock, prices=read_prices(price_file))
        for number in range(12):
            stand_in.script = Script("七天内可以退货，the shipping is on us." * (number % 3 + 1), cached_tokens=number)
            reply = await desk.ask(f"多久可以退货？ order {number}")
            assert reply.why["cost_source"] == "reported"
            amount, currency = reply.why["cost"].split()
            assert currency == "CNY"
            total += Decimal(amount)
    paid, cached, output = stand_in.ledger.tokens()
    assert total == ((paid - cached) * Decimal("0.6") + cached * Decimal("0.15") + output * Decimal("1.6")) / 1_000_000


async def test_an_answer_that_breaks_off_is_estimated_and_says_so(stand_in: ModelServer, price_file: Path) -> None:
    stand_in.script = Script("七天内可以退货，运费我们承担。", fault="broken")
    async with a_desk(stand_in, "main", prices=read_prices(price_file)) as desk:
        reply = await desk.ask()
    assert (reply.level, reply.why["cost_source"]) == ("L3", "estimated")
    assert reply.why["tokens"].endswith("8 out")
    assert "cost" not in reply.why, "no price is known for this model, and none is made up"


async def test_a_refused_call_costs_nothing(stand_in: ModelServer) -> None:
    stand_in.script = Script(status=403)
    async with a_desk(stand_in, "main") as desk:
        assert "tokens" not in (await desk.ask()).why


def test_a_wrong_price_is_refused_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(PRICES.replace("0.8", "-1"), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"prices\.0\.input"):
        read_prices(file)
