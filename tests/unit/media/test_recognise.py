"""A program that reads pictures, stood in for by small ones."""

import sys

import pytest

from parley.core import SettingsError, Unavailable
from parley_media.recognise import CommandRecogniser, NoRecogniser, Recognition
from parley_media.recognise.command import LONGEST_TEXT


def a_program(code: str, seconds: float = 10) -> CommandRecogniser:
    return CommandRecogniser(f'{sys.executable} -c "import sys,time; {code}"', seconds)


async def test_what_the_program_prints_is_the_text() -> None:
    recogniser = a_program("n = len(sys.stdin.buffer.read()); sys.stdout.buffer.write(f' 订单 {n} '.encode())")
    found = await recogniser.recognise(b"x" * 200_000)
    assert found.text == "订单 200000"
    assert found.method == recogniser.method != "unavailable"


async def test_a_program_that_prints_too_much_is_cut_short() -> None:
    found = await a_program("print('字' * 100000)").recognise(b"x")
    assert len(found.text) == LONGEST_TEXT


async def test_a_program_that_fails_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="status 3"):
        await a_program("sys.exit(3)").recognise(b"x" * 200_000)


async def test_a_program_that_takes_too_long_is_ended() -> None:
    with pytest.raises(Unavailable, match=r"more than 0.2 s"):
        await a_program("time.sleep(600)", seconds=0.2).recognise(b"x")


@pytest.mark.parametrize("command", ["no-such-program --x", " "])
def test_a_program_that_does_not_exist_names_the_setting(command: str) -> None:
    with pytest.raises(SettingsError, match="PARLEY_MEDIA_OCR_COMMAND"):
        CommandRecogniser(command, 10)


async def test_without_a_program_nothing_is_said() -> None:
    assert await NoRecogniser().recognise(b"x") == Recognition("", "", "unavailable")
