"""What must not reach a visitor never does, however it is cut into pieces; everything else does, unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.testing import VirtualClock
from parley_ai_engine.guards.links import LinkFilter, allowed_host
from parley_ai_engine.guards.outgoing import Outgoing
from parley_ai_engine.guards.words import Blocked, WordFilter, WordList
from parley_ai_engine.pipeline.streaming import ChunkWriter

LISTED = WordList(["假货", "fool", "最便宜的店", "T恤衫"])


def shown(text: str, size: int) -> tuple[str, bool]:
    """What came through in pieces of this size, and whether the answer was stopped."""
    words, out = WordFilter(LISTED), ""
    try:
        for at in range(0, len(text), size):
            out += words.write(text[at : at + size])
        return out + words.finish(), False
    except Blocked:
        return out, True


BAD = ["我们不卖假货。", "You are a FOOL!", "a fool", "ｆｏｏｌ。", "假\u200b货", "本店是最便宜的店", "t恤衫到了"]
GOOD = ["foolproof design", "假如货到了", "最便宜的", "tomfoolery", "T恤", "真货没有假", "最最便宜的手机"]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("text", BAD)
def test_a_listed_word_is_never_shown_not_even_its_beginning(text: str, size: int) -> None:
    out, stopped = shown(text, size)
    assert stopped
    assert not any(part in out.casefold() for part in ("假", "foo", "最便宜的店", "t恤衫"))


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("text", GOOD)
def test_what_only_looks_like_it_passes_unchanged(text: str, size: int) -> None:
    assert shown(text, size) == (text, False)


@given(st.text(alphabet="假货真fol x最便宜的店\u200b", max_size=40), st.integers(1, 5))
def test_the_cut_into_pieces_changes_no_verdict(text: str, size: int) -> None:
    assert shown(text, size)[1] == shown(text, 1000)[1]
    if not shown(text, size)[1]:
        assert shown(text, size)[0] == text


def test_only_what_could_still_become_a_word_is_held_back() -> None:
    words = WordFilter(LISTED)
    assert [words.write(piece) for piece in ("这是", "假", "的")] == ["这是", "", "假的"]


ADDRESSES = [
    "https://evil.example/a?d=secret",
    "http://shop.example@evil.example/",
    "https://evil.example\\@shop.example/",
    "//evil.example/x.png",
    "www.evil.example",
    "javascript:alert(1)",
    "https://shop.example.evil.example/",
    "HTTPS://EVIL.EXAMPLE",
]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("address", ADDRESSES)
def test_no_address_outside_the_list_is_shown(address: str, size: int) -> None:
    links, text = LinkFilter(["shop.example"]), f"请看![图片]({address})，谢谢 now"
    out = "".join(links.write(text[at : at + size]) for at in range(0, len(text), size)) + links.finish()
    assert "evil" not in out.lower()
    assert "alert" not in out
    assert out.startswith("请看![图片](")
    assert out.endswith("谢谢 now")
    assert links.removed == 1


def test_allowed_hosts_and_those_below_them_stay() -> None:
    links = LinkFilter(["shop.example"])
    text = "见 https://help.shop.example/returns 或 www.shop.example。"
    assert links.write(text) + links.finish() == text
    assert not allowed_host("https://notshop.example", ["shop.example"])


@given(st.text(alphabet="退货 abc.:,!?1", max_size=60), st.integers(1, 7))
def test_text_without_addresses_is_left_alone(text: str, size: int) -> None:
    links = LinkFilter(())
    assert "".join(links.write(text[at : at + size]) for at in range(0, len(text), size)) + links.finish() == text


def test_a_guarded_writer_shows_what_may_be_shown_and_keeps_the_same_text() -> None:
    seen: list[str] = []
    writer = Outgoing(LISTED).guard(ChunkWriter(lambda _, delta: seen.append(delta), VirtualClock()))
    for piece in ("see ht", "tps://evil.exa", "mple/x now", "，好的"):
        writer.write(piece)
    writer.finish()
    assert "".join(seen) == writer.text == "see […] now，好的"
    assert writer.removed == 1
