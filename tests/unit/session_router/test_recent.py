"""What a session remembers of the messages that it stored last."""

import hypothesis.strategies as st
from hypothesis import given

from parley_session_router.machine import recent
from parley_session_router.store import RECENT_IDS

DIGESTS = st.binary(min_size=12, max_size=12)


def named(digest: bytes) -> str:
    return f"msg_{digest.hex()}"


def test_a_message_is_found_with_its_place_until_newer_ones_have_taken_the_room() -> None:
    known = b""
    for number in range(1, RECENT_IDS + 2):
        known = recent.add(known, named(number.to_bytes(12, "big")), number)
    assert recent.count(known) == RECENT_IDS
    assert recent.seq_of(known, named((1).to_bytes(12, "big"))) is None
    assert recent.seq_of(known, named((2).to_bytes(12, "big"))) == 2
    assert recent.seq_of(known, named((RECENT_IDS + 1).to_bytes(12, "big"))) == RECENT_IDS + 1


@given(st.lists(st.tuples(DIGESTS, st.integers(0, 2**32 - 1)), min_size=2, unique_by=lambda one: one[0]), DIGESTS)
def test_only_what_was_added_is_known(added: list[tuple[bytes, int]], strange: bytes) -> None:
    known = b""
    for digest, seq in added:
        known = recent.add(known, named(digest), seq)
    for digest, seq in added[-RECENT_IDS:]:
        assert recent.seq_of(known, named(digest)) == seq
    if strange not in [digest for digest, _ in added]:
        assert recent.seq_of(known, named(strange)) is None


def test_bytes_of_two_neighbours_that_look_like_a_message_are_none() -> None:
    known = recent.add(recent.add(b"", named(bytes(range(12))), 7), named(bytes(range(20, 32))), 8)
    between = known[4:16]
    assert recent.seq_of(known, named(between)) is None
    known = recent.add(known, named(between), 9)
    assert recent.seq_of(known, named(between)) == 9
