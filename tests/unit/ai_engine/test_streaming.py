"""Previews: the first at once, then bundled, never through the middle of what a reader sees as one character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.testing import VirtualClock
from parley_ai_engine.pipeline.streaming import AT_MOST_CHARS, ChunkWriter


def written(*pieces: str, pause: float = 0.0) -> list[str]:
    clock, shown = VirtualClock(), list[str]()
    writer = ChunkWriter(lambda _, delta: shown.append(delta), clock)
    for piece in pieces:
        writer.write(piece)
        clock._now += pause
    writer.finish()
    return shown


def test_the_first_piece_goes_at_once_and_the_rest_is_bundled() -> None:
    assert written("您", "好", "，", "请", "问") == ["您", "好，请问"]


def test_after_forty_milliseconds_the_next_piece_goes() -> None:
    assert written("您", "好", "请", pause=0.05) == ["您", "好", "请"]


def test_a_long_text_is_cut_into_pieces_of_two_hundred_characters() -> None:
    shown = written("很" * 450)
    assert [len(piece) for piece in shown] == [200, 200, 50]


@pytest.mark.parametrize("family", ["👨‍👩‍👧", "e\u0301", "👍🏽", "🇨🇳"])
def test_a_grapheme_is_never_split_at_the_limit(family: str) -> None:
    shown = written("a" * (AT_MOST_CHARS - 1) + family + "b")
    assert shown == ["a" * (AT_MOST_CHARS - 1), family + "b"]


@given(st.lists(st.text(max_size=300), max_size=12), st.sampled_from([0.0, 0.01, 0.05]))
def test_the_pieces_are_the_text(pieces: list[str], pause: float) -> None:
    assert "".join(written(*pieces, pause=pause)) == "".join(pieces)
