"""Personal data never reaches a model, a log or a trace, and comes back in the answer, however it is cut."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.testing.builders import a_turn, a_visitor
from parley_ai_engine.guards.personal import Personal, Restorer, without_personal
from parley_ai_engine.pipeline.turn import Turn
from tests.unit.ai_engine.test_answering import Screen, ScriptedModel, Shelf, a_question, the_answerer

FOUND = [
    ("手机13800138000，谢谢", "13800138000", "PHONE"),
    ("打+86 138-0013-8000", "+86 138-0013-8000", "PHONE"),
    ("call (415) 555-0123", "(415) 555-0123", "PHONE"),
    ("call +44 20 7946 0958 now", "+44 20 7946 0958", "PHONE"),
    ("座机0571-87654321", "0571-87654321", "PHONE"),
    ("身份证11010519491231002X", "11010519491231002X", "ID"),
    ("卡号 6222 0212 3456 7894 013？", "6222 0212 3456 7894 013", "CARD"),
    ("card 4111-1111-1111-1111", "4111-1111-1111-1111", "CARD"),
    ("写到 wang.xm@shop.example。", "wang.xm@shop.example", "EMAIL"),
    ("订单号：A10017-22 到哪了", "A10017-22", "ORDER"),
    ("where is order #10017222?", "10017222", "ORDER"),
    ("运单 SF1234567890123", "SF1234567890123", "ORDER"),
    ("送到浙江省杭州市西湖区文三路 18 号 3 单元 502 室", "浙江省杭州市西湖区文三路 18 号 3 单元 502 室", "ADDRESS"),
    ("ship to 221 Baker Street please", "221 Baker Street", "ADDRESS"),
    ("我叫王小明，", "王小明", "NAME"),
    ("My name is Anna Smith.", "Anna Smith", "NAME"),
]


@pytest.mark.parametrize(("text", "value", "kind"), FOUND)
def test_a_value_is_replaced_and_comes_back(text: str, value: str, kind: str) -> None:
    personal = Personal()
    hidden = personal.hide(text)
    assert value not in hidden
    assert f"[{kind}_1]" in hidden
    assert personal.restore(hidden) == text


LEFT = [
    "买满99元免运费吗",
    "2026年3月22日下的单",
    "11010519491231002" + "1",
    "4111111111111112 个",
    "15天内",
    "我是新顾客",
    "路上几天",
]


@pytest.mark.parametrize("text", LEFT)
def test_numbers_that_are_nobodys_are_left_alone(text: str) -> None:
    personal = Personal()
    hidden = personal.hide(text)
    assert not {"ID", "CARD", "PHONE", "NAME", "ADDRESS"} & set(personal.kinds)
    assert personal.restore(hidden) == text


def test_one_value_has_one_placeholder_and_our_own_address_has_none() -> None:
    personal = Personal(public="热线 400-000-0170，care@shop.example")
    hidden = personal.hide("我的电话13800138000，再说一遍13800138000，不是13900139000，也不是care@shop.example")
    assert (hidden.count("[PHONE_1]"), hidden.count("[PHONE_2]"), "care@shop.example" in hidden) == (2, 1, True)


def test_a_search_carries_nothing_personal() -> None:
    assert without_personal(["订单号 A10017222 的快递，打13800138000"]) == ("订单号   的快递，打",)


@given(
    st.lists(st.sampled_from(["[PHONE_1]", "[", "]", "[1]", "您好", "[EMAIL_7]", " x"]), max_size=12), st.integers(1, 5)
)
def test_the_cut_into_pieces_restores_the_same(parts: list[str], size: int) -> None:
    personal, text = Personal(), "".join(parts)
    personal.hide("13800138000")
    restorer = Restorer(personal)
    out = "".join(restorer.write(text[at : at + size]) for at in range(0, len(text), size)) + restorer.finish()
    assert out == personal.restore(text) == text.replace("[PHONE_1]", "13800138000")


async def test_a_model_sees_placeholders_and_the_visitor_sees_the_value(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    event = a_turn("退款多久？打13800138000告诉我，订单号A10017222")
    event.recent.add(text="我的邮箱是 wang@shop.example").sender.CopyFrom(a_visitor())
    model, screen, shelf = ScriptedModel("好的，会打[PHO", "NE_1]联系", "您。"), Screen(), Shelf()
    reply = await the_answerer(shelf, model).answer(Turn.from_event(event), screen.begin)
    assert reply.text == "".join(text for _, text in screen.shown) == "好的，会打13800138000联系您。"
    prompt = "\n".join(said.text for said in model.prompts[0].messages)
    for value in ("13800138000", "A10017222", "wang@shop.example"):
        assert value not in prompt
        assert value not in "".join(shelf.queries)
        assert value not in caplog.text
        assert value not in str(reply.why)


async def test_a_model_that_fails_still_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await the_answerer(model=ScriptedModel(fails="malformed")).answer(
        a_question("退款多久？打13800138000"), Screen().begin
    )
    assert "13800138000" not in caplog.text
