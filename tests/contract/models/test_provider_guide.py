"""The guide to providers does what it says."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from parley.testing.model import ModelServer
from parley_ai_engine.providers import open_model
from parley_ai_engine.providers.port import ModelFailed, ModelReply
from parley_ai_engine.settings import ModelSettings
from tests.contract.models.vendors import answer

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "add-a-provider.md").read_text(encoding="utf-8")
KNOWN, OWN = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
MODULE, TRY = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


def settings_of(shell: str, **changes: str) -> ModelSettings:
    lines = dict(line.removeprefix("export ").split("=", 1) for line in shell.split("\n") if line)
    return ModelSettings.load({**lines, **changes})


@pytest.fixture
def try_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "my_shop_model.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_shop_model", raising=False)
    room: dict[str, Any] = {}
    exec(MODULE + "\n" + TRY, room)  # the guide's last block goes on where the module ended
    return room["try_it"]


async def test_a_known_vendor_takes_variables_and_no_code(stand_in: ModelServer) -> None:
    settings = settings_of(KNOWN, PARLEY_LLM_URL=stand_in.url)
    async with open_model(settings) as model:
        text, _ = await answer(model)
    assert (text, stand_in.ledger.last.model) == (stand_in.script.text, "qwen3:8b")


async def test_a_module_of_ones_own_answers(try_it: Any) -> None:
    *pieces, end = await try_it(settings_of(OWN))
    assert ("".join(pieces), end) == ("你好！", ModelReply("stop", "cat", reported=False))


async def test_a_module_of_ones_own_fails_as_the_engine_expects(try_it: Any) -> None:
    with pytest.raises(ModelFailed) as caught:
        await try_it(settings_of(OWN, PARLEY_LLM_MODEL="false"))
    assert caught.value.kind == "overloaded"


async def test_a_command_that_hangs_costs_its_limit(try_it: Any) -> None:
    with pytest.raises(ModelFailed) as caught:
        await try_it(settings_of(OWN, PARLEY_LLM_MODEL="sleep 60", PARLEY_LLM_FIRST_TOKEN_SECONDS="0.2"))
    assert caught.value.kind == "timeout"
