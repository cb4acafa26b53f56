"""`parley doctor` asks the model once, and says what is wrong in words that say what to do."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from click.testing import CliRunner

from parley.cli import main
from parley.core import ParleyError
from parley.testing.model import MODES, ModelServer, Script, model_server
from parley_ai_engine.checkup import NONE, check

README = Path(__file__).parents[3] / "README.md"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A stand-in that lives in a loop of its own, since the check runs one itself."""
    found: list[ModelServer] = []
    ready, over = Event(), Event()

    async def serve() -> None:
        async with model_server() as one:
            one.script = Script(text="OK OK OK")
            found.append(one)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(10)
    given = readme_says()
    monkeypatch.setenv(
        "PARLEY_LLM_URL", re.sub(r"localhost:\d+", f"127.0.0.1:{found[0].port}", given["PARLEY_LLM_URL"])
    )
    monkeypatch.setenv("PARLEY_LLM_MODEL", given["PARLEY_LLM_MODEL"])
    yield found[0]
    over.set()
    thread.join(10)


def readme_says() -> dict[str, str]:
    """The variables of the line under "Give it a model", as they stand there."""
    (line,) = re.findall(r"^(PARLEY_LLM_URL=.*) make run$", README.read_text("utf-8"), re.MULTILINE)
    return dict(part.split("=", 1) for part in line.split())


def test_the_readmes_variables_reach_a_server_and_the_line_says_all_that_was_found(server: ModelServer) -> None:
    told = check()
    assert told.startswith("qwen3:8b answers, the key is good, it streams")
    assert "no price is known" in told
    assert len(server.ledger.calls) == 1
    assert server.ledger.calls[0].output_tokens <= 16


def test_a_price_is_used(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text('prices: [{model: "qwen*", since: 2026-01-01, input: 1000, output: 1000, currency: CNY}]')
    monkeypatch.setenv("PARLEY_AI_ENGINE_PRICES", str(prices))
    call_cost = check()
    used = server.ledger.calls[0].input_tokens + server.ledger.calls[0].output_tokens
    assert f"{used / 1000:g}" in call_cost
    assert call_cost.endswith("CNY")


WRONG = [
    ("unauthorized", "the key is refused"),
    ("forbidden", "may not use this model"),
    ("quota", "quota is used up"),
    ("rate_limited", "no calls left"),
    ("overloaded", "too busy"),
    ("html", "no whole answer"),
    ("cut", "no whole answer"),
    ("malformed", "no such server"),
]


@pytest.mark.parametrize(("mode", "words"), WRONG)
def test_what_is_wrong_is_said_in_plain_words(server: ModelServer, mode: str, words: str) -> None:
    server.script = MODES[mode]
    with pytest.raises(ParleyError, match=words):
        check()


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_LLM_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("PARLEY_LLM_MODEL", "m")
    with pytest.raises(ParleyError, match="nobody answers there"):
        check()


def test_doctor_shows_the_model_and_says_how_to_add_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PARLEY_LLM_URL", raising=False)
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    assert f"ok       model        {NONE}" in CliRunner().invoke(main, ["doctor"]).output
