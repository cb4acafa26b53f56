"""What a model states must stand in its sources: figures, dates and codes of its own never reach a visitor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.guards.provenance import across_languages, measure
from parley_ai_engine.guards.facts import facts_in
from parley_ai_engine.guards.provenance import ProvenanceFilter, Support
from parley_ai_engine.guards.words import Blocked
from tests.unit.ai_engine.test_answering import Screen, ScriptedModel, a_question, the_answerer

SAME = [
    ("七天内可退", "within 7 days"),
    ("24小时", "two 12-hour shifts make twenty-four hours"),
    ("一周内", "7 days"),
    ("享八折", "20% off"),
    ("下午五点关门", "closes at 17:00"),
    ("9月5日", "on 5 September"),
    ("1,200元", "RMB 1200"),
    ("半小时", "30 minutes"),
    ("订单 SF-1234567", "SF1234567"),
    ("周三休息", "closed on Wednesdays"),
]


@pytest.mark.parametrize(("said", "source"), SAME)
def test_one_value_in_two_wordings_is_one_value(said: str, source: str) -> None:
    assert facts_in(said)
    assert Support.of([source], []).unsupported(said) == []


OTHER = [
    ("五天内可退", "7 days"),
    ("5元", "5 days"),
    ("8折", "8% of them"),
    ("9月6日", "5 September"),
    ("写信到 help@shop.example", "care@shop.example"),
    ("拨打 400-800-1234", "400-000-0170"),
    ("3个工作日", "3 days"),
    ("2027年3月", "March 2026"),
]


@pytest.mark.parametrize(("said", "source"), OTHER)
def test_another_value_is_not_supported(said: str, source: str) -> None:
    assert Support.of([source], []).unsupported(said)


@pytest.mark.parametrize(
    "text", ["一起看看吧", "我们统一处理，十分抱歉", "1. 打开订单\n2. 点退货", "One of them may help", "[1]"]
)
def test_words_that_only_look_like_numbers_state_nothing(text: str) -> None:
    assert facts_in(text) == []


def test_a_visitors_code_may_be_said_back_but_his_terms_may_only_be_denied() -> None:
    support = Support.of(["七天内可以退货。"], ["订单 A-10017 买了30天，还能退吗？"])
    assert support.unsupported("您的订单A-10017") == []
    assert support.unsupported("30天内不能退") == []
    assert support.unsupported("可以，30天内都能退")


@given(st.text(alphabet="退货7天内 3元，。days within 12.5%abc月日周一十", max_size=60), st.integers(1, 7))
def test_the_cut_into_pieces_changes_no_verdict_and_no_text(text: str, size: int) -> None:
    assert streamed(text, size) == streamed(text, 1000)
    if (shown := streamed(text, size)) is not None:
        assert shown == text


def streamed(text: str, size: int) -> str | None:
    guard = ProvenanceFilter(Support.of(["七天内可以退货，运费 3 元。"], []))
    try:
        return "".join(guard.write(text[at : at + size]) for at in range(0, len(text), size)) + guard.finish()
    except Blocked:
        return None


def test_a_clause_without_figures_is_shown_at_once() -> None:
    guard = ProvenanceFilter(Support())
    assert [guard.write(piece) for piece in ("可以退", "货的，", "请在 ", "9")] == ["可以退", "货的，", "请在 ", ""]


def test_planted_facts_are_caught_and_faithful_answers_pass() -> None:
    for found in (measure(), across_languages()):
        assert found.caught >= 0.95, found.missed
        assert found.alarms <= 0.05, found.alarmed


@pytest.mark.parametrize("pieces", [("三十", "天内都能退。"), ("您好，可以退", "的，三十天内。")])
async def test_a_model_that_makes_up_a_figure_is_replaced_by_the_quote(pieces: tuple[str, ...]) -> None:
    screen = Screen()
    reply = await the_answerer(model=ScriptedModel(*pieces)).answer(a_question("多久可以退货？"), screen.begin)
    assert (reply.text, reply.origin) == ("七天内可以无理由退货。", "extractive")
    assert (reply.why["guard"], reply.level) == ("provenance", "L3")
    assert not any("三十" in text for _, text in screen.shown)
