"""Which models there are: the one of the environment, and those of a file."""

import re
from pathlib import Path

import pytest

from parley.core import SettingsError, SystemClock
from parley.testing import VirtualClock
from parley.testing.model import MODES, ModelServer
from parley_ai_engine.cache.remembering import Question
from parley_ai_engine.costs.usage import NOBODY
from parley_ai_engine.pipeline.ladder import Tried
from parley_ai_engine.routes import open_ladder, read_routes
from parley_ai_engine.settings import EngineSettings, ModelSettings
from tests.contract.models.vendors import ASKED

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "add-a-provider.md").read_text(encoding="utf-8")
(MORE,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


async def test_the_guides_file_adds_the_next_rungs(stand_in: ModelServer, tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(MORE.replace("https://api.anthropic.com", stand_in.anthropic_url), encoding="utf-8")
    stand_in.scripts["broken"] = MODES["forbidden"]
    chosen = ModelSettings(url=stand_in.url, model="broken", key="k")
    tried, clock = Tried(), SystemClock()
    async with open_ladder(EngineSettings(models=str(file)), chosen, clock) as ladder:
        assert ladder is not None
        question = Question(ASKED, clock.now() + 30, NOBODY, 1)
        answer = [piece async for piece in ladder.chat(question, tried)]
    assert tried.notes[0] == "broken: forbidden"
    assert stand_in.ledger.last.vendor == "anthropic"
    assert "".join(piece for piece in answer if isinstance(piece, str)) == stand_in.script.text


async def test_without_a_model_there_is_no_ladder() -> None:
    async with open_ladder(EngineSettings(), ModelSettings(), VirtualClock()) as ladder:
        assert ladder is None


WRONG = [
    ("models:\n  - {url: 'http://x', model: a, level: best}", "models.0.level"),
    ("models:\n  - {url: 'http://x'}", "models.0.model"),
    ("models:\n  - {url: 'http://x', model: a, colour: red}", "models.0.colour"),
    ("models: [", "cannot be read"),
    ("", "mend"),
]


@pytest.mark.parametrize(("content", "told"), WRONG)
def test_a_wrong_file_is_refused_by_the_place_to_mend(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=re.escape(told)):
        read_routes(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml"):
        read_routes(tmp_path / "nowhere.yaml")
