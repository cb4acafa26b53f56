"""What a model is told: versions of prompts, and a prompt that always fits."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contracts.v1 import Source
from parley.core import SettingsError
from parley.testing.builders import a_turn, a_visitor
from parley_ai_engine.admission.estimate import clip, prompt_tokens, tokens_of
from parley_ai_engine.pipeline.evidence import Evidence
from parley_ai_engine.pipeline.prompt import prompt_for
from parley_ai_engine.pipeline.prompts import Prompts
from parley_ai_engine.pipeline.turn import Turn

RETURNS = Source(title="退货", passage="七天内可以无理由退货。")
SHIPPED = Prompts().find("demo", "answer", "zh")


def a_long_talk(question: str, *earlier: str) -> Turn:
    event = a_turn(question)
    for text in earlier:
        event.recent.add(text=text).sender.CopyFrom(a_visitor())
    return Turn.from_event(event)


def test_rules_passages_rounds_and_question_are_all_there() -> None:
    ask = prompt_for(a_long_talk("那海外呢？", "多久可以退货？"), Evidence((RETURNS,)), "zh", SHIPPED, 3500)
    system, before, question = ask.messages
    assert "七天内可以无理由退货" in system.text
    assert "简体中文" in system.text
    assert (before.text, question.role, question.text) == ("多久可以退货？", "user", "那海外呢？")


texts = st.text(alphabet="退货运费海外abc de,。1234\n", max_size=3000)


@given(
    question=texts, earlier=st.lists(texts, max_size=8), found=st.lists(texts, max_size=6), limit=st.integers(200, 4000)
)
def test_a_prompt_never_exceeds_its_limit(question: str, earlier: list[str], found: list[str], limit: int) -> None:
    turn = a_long_talk(question, *earlier)
    evidence = Evidence(tuple(Source(title="t", passage=text) for text in found))
    assert prompt_tokens(prompt_for(turn, evidence, "zh", SHIPPED, limit)) <= limit


def test_the_newest_rounds_stay_when_there_is_little_room() -> None:
    turn = a_long_talk("现在呢？", "很早以前的话" * 200, "刚才的话")
    kept = [said.text for said in prompt_for(turn, Evidence((RETURNS,)), "zh", SHIPPED, 400).messages[1:-1]]
    assert kept == ["刚才的话"]


@given(texts, st.integers(0, 200))
def test_a_clipped_text_begins_the_same_and_fits(text: str, most: int) -> None:
    assert text.startswith(clip(text, most))
    assert tokens_of(clip(text, most)) <= most


def test_a_tenants_prompt_goes_before_the_operators_and_that_before_the_shipped(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "answer.zh.j2").write_text("{# version: 7 #}所有店 {{ sentinel }}", encoding="utf-8")
    (tmp_path / "shop" / "answer.zh.j2").write_text("{# version: 9 #}这家店", encoding="utf-8")
    prompts = Prompts(str(tmp_path))
    assert prompts.find("shop", "answer", "zh").label.startswith("answer.zh v9 ")
    assert prompts.find("demo", "answer", "zh").label.startswith("answer.zh v7 ")
    assert prompts.find("demo", "answer", "en").label.startswith("answer.en v2 ")
    assert prompts.find("../shop", "answer", "zh").label.startswith("answer.zh v7 ")


WRONG = [
    "{# version: 1 #}{{ password }}",
    "{# version: 1 #}{% for x in %}",
    "no version",
    "{# version: 1 #}{{ ''.__class__.__mro__ }}",
]


@pytest.mark.parametrize("source", WRONG)
def test_a_wrong_prompt_stops_the_start_and_is_named(tmp_path: Path, source: str) -> None:
    (tmp_path / "answer.zh.j2").write_text(source, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"answer\.zh\.j2"):
        Prompts(str(tmp_path))


@pytest.mark.parametrize("limit", [200, 400, 800])
def test_rounds_that_do_not_fit_are_left_out_whole(limit: int) -> None:
    turn = a_long_talk("现在呢？" * 300, *["一段不短的话，说了很多" * 9] * 8)
    ask = prompt_for(turn, Evidence((RETURNS,) * 5), "zh", SHIPPED, limit)
    assert prompt_tokens(ask) <= limit
    assert all(said.text == "一段不短的话，说了很多" * 9 for said in ask.messages[1:-1])
