"""Previews: in order, once, and never after their end."""

from parley.contracts.v1 import ReplyChunk
from parley_gateway.realtime.drafts import DRAFT_CHARS, Drafts
from tests.unit.gateway.a_desk import a_chunk


def texts(drafts: Drafts) -> list[str]:
    return [draft.delta for draft in drafts.open()]


def test_chunks_in_order_are_shown_and_kept_as_one_snapshot() -> None:
    drafts = Drafts()
    assert drafts.extend(a_chunk(0, "退款")) is not None
    assert drafts.extend(a_chunk(1, "七天内")) is not None
    (draft,) = drafts.open()
    assert (draft.delta, draft.index, draft.snapshot) == ("退款七天内", 1, True)


def test_a_repeated_chunk_is_dropped() -> None:
    drafts = Drafts()
    drafts.extend(a_chunk(0, "a"))
    drafts.extend(a_chunk(1, "b"))
    assert drafts.extend(a_chunk(0, "a")) is None
    assert drafts.extend(a_chunk(1, "b")) is None
    assert texts(drafts) == ["ab"]


def test_after_a_gap_nothing_is_shown_until_a_snapshot_comes() -> None:
    drafts = Drafts()
    drafts.extend(a_chunk(0, "a"))
    assert drafts.extend(a_chunk(2, "c")) is None
    assert drafts.extend(a_chunk(3, "abcd", snapshot=True)) is not None
    assert drafts.extend(a_chunk(4, "e")) is not None
    assert texts(drafts) == ["abcde"]


def test_a_snapshot_that_tells_less_than_is_known_is_dropped() -> None:
    drafts = Drafts()
    for n, delta in enumerate("abc"):
        drafts.extend(a_chunk(n, delta))
    assert drafts.extend(a_chunk(1, "ab", snapshot=True)) is None
    assert texts(drafts) == ["abc"]


def test_a_chunk_after_its_message_end_is_dropped() -> None:
    drafts = Drafts()
    drafts.extend(a_chunk(0, "a"))
    drafts.close("msg_r")
    assert drafts.extend(a_chunk(1, "b")) is None
    assert drafts.extend(a_chunk(5, "ab", snapshot=True)) is None
    assert texts(drafts) == []


def test_an_end_is_remembered_even_when_nothing_of_the_reply_was_seen() -> None:
    drafts = Drafts()
    drafts.close("msg_r")
    assert drafts.extend(a_chunk(0, "late")) is None


def test_another_engine_that_begins_anew_replaces_the_text() -> None:
    drafts = Drafts()
    drafts.extend(a_chunk(0, "half an ans"))
    again = a_chunk(0, "The answer")
    again.meta.producer = "ai-engine-2"
    shown = drafts.extend(again)
    assert shown is not None
    assert shown.snapshot
    assert texts(drafts) == ["The answer"]


def test_two_replies_are_kept_apart() -> None:
    drafts = Drafts()
    drafts.extend(a_chunk(0, "一", message_id="m1"))
    drafts.extend(a_chunk(0, "二", message_id="m2"))
    drafts.close("m1")
    assert texts(drafts) == ["二"]


def test_an_endless_draft_is_kept_within_bounds() -> None:
    drafts = Drafts()
    for n in range(12):
        drafts.extend(a_chunk(n, "长" * 10_000))
    assert len(texts(drafts)[0]) == DRAFT_CHARS


def test_only_the_last_ends_are_remembered() -> None:
    drafts = Drafts()
    for n in range(1000):
        drafts.close(f"m{n}")
    assert drafts.extend(a_chunk(0, "old", message_id="m1")) == a_chunk(0, "old", message_id="m1")
    assert isinstance(drafts.open()[0], ReplyChunk)
