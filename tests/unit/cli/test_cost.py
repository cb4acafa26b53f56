"""What `parley cost` prints."""

from parley.cli.cost import told
from parley.contracts.v1 import CostLine, CostsResponse, Money, Saving

MONEY = [Money(amount="0.0123", currency="CNY")]


def test_each_key_has_a_line_and_what_was_saved_is_told() -> None:
    line = CostLine(key="qwen-plus", calls=3, input_tokens=900, output_tokens=60, amounts=MONEY)
    total = CostLine(calls=3, input_tokens=900, output_tokens=60, amounts=MONEY, estimated_calls=1)
    total.saved.append(Saving(by="single_flight", calls=2, amounts=MONEY))
    lines = list(told(CostsResponse(lines=[line], total=total), "model"))
    assert lines[1].split() == ["qwen-plus", "3", "900", "0", "60", "0.0123", "CNY"]
    assert lines[2].startswith("all")
    assert lines[3] == "saved by single flight: 2 calls, 0.0123 CNY"
    assert lines[4].startswith("1 calls broke off")


def test_calls_without_a_price_say_where_prices_are_named() -> None:
    lines = list(told(CostsResponse(total=CostLine(calls=1, unpriced_calls=1)), "day"))
    assert "PARLEY_AI_ENGINE_PRICES" in lines[-1]


def test_a_desk_without_models_is_told_so() -> None:
    assert list(told(CostsResponse(), "day")) == ["no model was asked in this time"]
