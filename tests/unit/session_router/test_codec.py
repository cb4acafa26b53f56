"""A session's state as bytes: whole, compact, readable by older and newer releases."""

import msgspec

from parley_session_router.machine.codec import decode, encode
from tests.unit.session_router.conversation import Conversation


def a_rich_state() -> Conversation:
    talk = Conversation()
    talk.write("第一个问题", gateway="g1")
    talk.answer()
    talk.take_over()
    talk.write("second question", gateway="g2")
    return talk


def test_a_state_comes_back_as_it_was() -> None:
    state = a_rich_state().state
    assert decode(encode(state), state.recent_ids) == state


def test_a_running_turn_and_its_question_come_back() -> None:
    talk = Conversation()
    talk.write("你好")
    talk.begin("e1")
    assert decode(encode(talk.state), talk.state.recent_ids) == talk.state


def test_the_recent_ids_are_not_stored_twice() -> None:
    talk = Conversation()
    talk.write(external_id="c-unmistakable")
    assert b"web\x1f" not in encode(talk.state)


def test_what_a_newer_release_added_is_ignored_and_what_it_left_out_has_its_default() -> None:
    state = a_rich_state().state
    values = msgspec.msgpack.decode(encode(state))
    values["mood"] = {"new": [1, 2]}
    del values["decisions"]
    read = decode(msgspec.msgpack.encode(values), state.recent_ids)
    assert read.decisions == ()
    assert read.rounds == state.rounds
