"""A desk with a model: it answers through the running house, and its death is not the desk's."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from parley.testing.servers.ports import free_port
from tests.flow.house import House, a_house
from tests.flow.people import ZH, a_visitor, answered


@pytest.fixture
def model() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The stand-in as a process of its own, and its address."""
    command = [sys.executable, "-m", "parley.testing.model", "--port", str(free_port())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def house(model: tuple[subprocess.Popen[str], str]) -> Iterator[House]:
    """The demo with that model."""
    with a_house(PARLEY_LLM_URL=model[1], PARLEY_LLM_MODEL="stand-in:plain") as house:
        yield house


async def test_a_model_answers_while_it_lives_and_the_handbook_when_it_is_dead(
    house: House, model: tuple[subprocess.Popen[str], str]
) -> None:
    async with a_visitor(house) as visitor:
        alive = await answered(visitor, ZH)
        assert (alive["origin"], alive["text"], alive["ai_generated"]) == ("llm", "七天内可以退货。", True)
        model[0].kill()
        model[0].wait(10)
        dead = await answered(visitor, "退款多久能到账？", seconds=20)
        assert dead["origin"] == "extractive"
        assert "24 小时" in dead["text"]
