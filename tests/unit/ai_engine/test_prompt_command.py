"""A new prompt is looked at, tried and activated by command; complaints get theirs, in four steps."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from parley.cli import main
from parley_ai_engine.dialogue.complaint import complains
from parley_ai_engine.pipeline.prompts import SHIPPED, Prompts
from tests.unit.ai_engine.test_answering import Screen, ScriptedModel, a_question, the_answerer

NEW = "{# version: 9 #}\n只用资料回答，用{{ language }}；不行就回复 {{ sentinel }}。\n{{ passages[0].text }}\n"


def parley(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["prompts", *words])
    return done.exit_code, done.output


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The operator's folder of prompts."""
    monkeypatch.setenv("PARLEY_AI_ENGINE_PROMPTS", str(tmp_path / "own"))
    (tmp_path / "answer.zh.new.j2").write_text(NEW, "utf-8")
    return tmp_path


def test_a_prompt_is_tried_compared_and_activated_for_one_tenant(own: Path) -> None:
    file = str(own / "answer.zh.new.j2")
    code, told = parley("test", file)
    assert (code, "茶具签收后15天内" in told) == (0, True)
    code, told = parley("diff", file)
    assert "-{# version: 2 #}" in told
    assert "+{# version: 9 #}" in told
    assert parley("activate", file, "--tenant", "shop")[0] == 0
    prompts = Prompts(str(own / "own"))
    assert prompts.find("shop", "answer", "zh").label.startswith("answer.zh v9 ")
    assert prompts.find("demo", "answer", "zh").label.startswith("answer.zh v2 ")
    assert "nothing" in parley("diff", file, "--tenant", "shop")[1]


def test_another_text_needs_another_version_and_a_wrong_one_is_refused(own: Path) -> None:
    file = own / "answer.zh.new.j2"
    assert parley("activate", str(file))[0] == 0
    file.write_text(NEW.replace("只用", "只能用"), "utf-8")
    code, told = parley("activate", str(file))
    assert (code, "new version" in told) == (1, True)
    file.write_text("{# version: 10 #}{{ password }}", "utf-8")
    assert parley("test", str(file))[0] == 1
    assert parley("activate", str(file))[0] == 1
    assert Prompts(str(own / "own")).find("demo", "answer", "zh").label.startswith("answer.zh v9 ")


@pytest.mark.parametrize(
    ("language", "steps"), [("zh", "体谅 确认 办法 下一步"), ("en", "understand confirm options close")]
)
def test_the_complaint_prompt_has_its_four_steps_in_order(language: str, steps: str) -> None:
    text = (SHIPPED / f"complaint.{language}.j2").read_text("utf-8")
    places = [text.index(step) for step in steps.split(" ")]
    assert places == sorted(places)


async def test_who_complains_is_answered_by_the_complaint_prompt() -> None:
    for question, name in (("太差劲了，退货没人管！", "complaint"), ("多久可以退货？", "answer")):
        model = ScriptedModel("很抱歉，七天内可以退货。")
        reply = await the_answerer(model=model).answer(a_question(question), Screen().begin)
        assert reply.why["prompt"].startswith(f"{name}.zh v")


@pytest.mark.parametrize("text", ["可以退货吗", "How long does delivery take?", "包裹到哪了"])
def test_a_plain_question_is_no_complaint(text: str) -> None:
    assert not complains(text)
