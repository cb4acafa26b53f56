"""Turns from their question to their one outcome."""

import pytest

from parley.contracts.v1 import (
    HandoffRequested,
    MessageStored,
    ReplyRefused,
    StreamDetached,
    TurnCancelled,
    TurnFailed,
    TurnFinished,
    TurnJoined,
    TurnRequested,
    TurnStarted,
)
from parley.testing.builders import a_meta
from parley_session_router.machine import OPEN, WAITING, GatewayGone, Resumed, TimeCame
from tests.unit.session_router.conversation import (
    TRACE,
    Conversation,
    a_result,
    a_stop,
    an_attach,
    the_question,
)


def outcomes(talk: Conversation) -> list[tuple[str, str]]:
    return [(fact.turn_id, fact.outcome) for fact in talk.all(TurnFinished)]


def test_a_question_carries_what_an_engine_needs() -> None:
    talk = Conversation(turn_seconds=30)
    talk.write("Do you ship to Norway?", gateway="g1")
    asked = the_question(talk)
    assert (asked.ownership, asked.channel, asked.locale, list(asked.gateway_ids)) == (1, "web", "zh-CN", ["g1"])
    assert asked.deadline.seconds == int(talk.now) + 30
    assert asked.message_id == talk.turn.message_id
    assert talk.turn.traceparent == TRACE


def test_the_rounds_before_go_with_the_question_but_not_the_question_itself() -> None:
    talk = Conversation()
    talk.write("第一个问题")
    talk.answer("第一个答案")
    talk.write("第二个问题")
    assert [m.text for m in the_question(talk).recent] == ["第一个问题", "第一个答案"]
    assert [m.text for m in the_question(talk).asked] == ["第二个问题"]


def test_an_answer_is_stored_under_the_promised_id_and_ends_the_turn() -> None:
    talk = Conversation()
    talk.write()
    turn = talk.turn
    talk.now += 2.5
    talk.answer("七天内可以退货。")
    end = talk.said[-1].message_end
    assert (end.message_id, end.text, end.turn_id, end.finish_reason) == (
        turn.message_id,
        "七天内可以退货。",
        turn.turn_id,
        "stop",
    )
    assert talk.state.turn is None
    assert [(f.outcome, f.duration_ms) for f in talk.all(TurnFinished)] == [("answer", 2500)]
    assert [f.message.text for f in talk.all(MessageStored)][-1] == "七天内可以退货。"


def test_a_second_result_is_refused_and_shown_as_a_fact() -> None:
    talk = Conversation()
    talk.write()
    event = talk.answer()
    decision = talk.hear(event)
    assert not decision.entries
    assert [f.reason for f in talk.all(ReplyRefused)] == ["second_result"]
    assert decision.duplicates == 1


def test_a_result_of_a_turn_that_nobody_asked_for_is_refused() -> None:
    talk = Conversation()
    talk.write()
    strange = a_result(talk.turn)
    strange.turn_id = "turn_strange"
    assert not talk.hear(strange).entries
    assert talk.all(ReplyRefused)[-1].reason == "unknown_turn"


def test_a_result_from_before_a_takeover_is_refused() -> None:
    talk = Conversation()
    talk.write()
    late = a_result(talk.turn)
    talk.take_over()
    assert not talk.hear(late).entries
    assert talk.all(ReplyRefused)[-1].reason == "ownership"
    assert outcomes(talk) == [(late.turn_id, "cancelled")]


def test_messages_before_anything_is_shown_become_one_turn() -> None:
    talk = Conversation()
    for text in ("你好", "我的订单", "什么时候到？"):
        talk.write(text)
    assert [m.text for m in the_question(talk).asked] == ["你好", "我的订单", "什么时候到？"]
    assert [f.reason for f in talk.all(TurnCancelled)] == ["superseded", "superseded"]
    assert [outcome for _, outcome in outcomes(talk)] == ["cancelled", "cancelled"]
    talk.answer()
    assert talk.kinds == ["message", "message", "message", "message_end"]


def test_a_message_while_an_answer_is_shown_waits_for_its_end() -> None:
    talk = Conversation()
    talk.write("一")
    talk.begin()
    talk.write("二")
    assert len(talk.all(TurnRequested)) == 1
    talk.answer()
    assert [m.text for m in the_question(talk).asked] == ["二"]


def test_a_late_start_of_a_superseded_turn_is_told_to_stop() -> None:
    talk = Conversation()
    talk.write("一")
    old = talk.turn.turn_id
    talk.write("二")
    decision = talk.hear(TurnStarted(meta=a_meta(), turn_id=old, engine_id="e7"))
    told = [(route.key, event.turn_id) for route, event in decision.sends if isinstance(event, TurnCancelled)]
    assert told == [("replica.e7", old)]
    assert not talk.turn.begun


def test_a_preview_of_a_turn_that_was_cancelled_unseen_is_closed_once() -> None:
    talk = Conversation()
    talk.write("一")
    old = talk.turn
    talk.take_over()
    begun = TurnStarted(meta=a_meta(), turn_id=old.turn_id, engine_id="e7")
    talk.hear(begun)
    end = talk.said[-1].message_end
    assert (end.message_id, end.text, end.finish_reason) == (old.message_id, "", "cancelled")
    before = talk.state
    talk.hear(begun)
    assert talk.state is before


def test_where_nobody_is_sent_previews_there_is_none_to_close() -> None:
    talk = Conversation()
    talk.write("一", gateway="")
    begun = TurnStarted(meta=a_meta(), turn_id=talk.turn.turn_id, engine_id="e7")
    talk.take_over()
    assert not talk.hear(begun).entries
    assert not talk.state.unended


def test_a_late_start_of_an_answered_turn_closes_nothing() -> None:
    talk = Conversation()
    talk.write("一")
    begun = TurnStarted(meta=a_meta(), turn_id=talk.turn.turn_id, engine_id="e7")
    talk.answer()
    before = talk.state
    talk.hear(begun)
    assert talk.state is before


def test_a_handoff_leaves_the_answer_and_a_session_that_waits() -> None:
    talk = Conversation()
    talk.write("我对花生过敏，可以吃吗？")
    talk.hear(a_result(talk.turn, "我不确定，请稍候。", handoff="not_sure"))
    assert talk.kinds == ["message", "message_end", "session"]
    assert (talk.state.status, talk.state.waiting_reason, talk.state.waiting_since) == (WAITING, "not_sure", talk.now)
    assert [f.handoff.reason for f in talk.all(HandoffRequested)] == ["not_sure"]
    assert [outcome for _, outcome in outcomes(talk)] == ["person"]


@pytest.mark.parametrize(("question", "words"), [("你们几点开门？", "抱歉"), ("When do you open?", "Sorry")])
def test_a_failed_turn_ends_in_words_of_the_visitors_language_and_a_person(question: str, words: str) -> None:
    talk = Conversation()
    talk.write(question)
    talk.hear(TurnFailed(meta=a_meta(), turn_id=talk.turn.turn_id, ownership=1, reason="ModelTimeout"))
    end = talk.said[1].message_end
    assert words in end.text
    assert (end.notice, end.finish_reason, talk.state.status) == ("no_answer", "error", WAITING)
    assert [outcome for _, outcome in outcomes(talk)] == ["fallback"]


def test_a_turn_without_an_answer_falls_back_at_its_deadline_and_not_before() -> None:
    talk = Conversation(turn_seconds=45)
    talk.write()
    late = a_result(talk.turn)
    talk.begin("e1")
    assert talk.state.due_at == talk.now + 45
    talk.now += 44.9
    assert not talk.hear(TimeCame()).entries
    talk.now += 0.1
    talk.hear(TimeCame())
    assert talk.said[1].message_end.finish_reason == "deadline"
    assert [f.reason for f in talk.all(TurnCancelled)] == ["deadline", "deadline"], "to the engine and as a fact"
    talk.hear(late)
    assert [outcome for _, outcome in outcomes(talk)] == ["fallback"]


def test_a_timer_that_rings_very_late_asks_for_a_person_and_does_not_close_the_session() -> None:
    talk = Conversation(turn_seconds=45, idle_seconds=600)
    talk.write()
    talk.now += 3600
    talk.hear(TimeCame())
    assert (talk.state.status, talk.state.waiting_reason) == (WAITING, "deadline")
    assert talk.kinds == ["message", "message_end", "session"]


def test_an_empty_reply_is_no_answer() -> None:
    talk = Conversation()
    talk.write()
    talk.answer("")
    assert talk.said[1].message_end.notice == "no_answer"


def test_stop_closes_what_was_shown_and_what_was_asked_since_is_still_answered() -> None:
    talk = Conversation()
    talk.write("一")
    talk.begin()
    turn = talk.turn
    talk.write("二")
    talk.hear(a_stop(turn.message_id))
    closed = talk.said[-1].message_end
    assert (closed.message_id, closed.text, closed.finish_reason) == (turn.message_id, "", "cancelled")
    assert [m.text for m in the_question(talk).asked] == ["二"]


def test_stop_before_anything_is_shown_leaves_no_entry() -> None:
    talk = Conversation()
    talk.write()
    talk.hear(a_stop())
    assert talk.kinds == ["message"]
    assert [outcome for _, outcome in outcomes(talk)] == ["cancelled"]


def test_a_repeated_stop_does_not_stop_the_next_turn() -> None:
    talk = Conversation()
    talk.write("一")
    talk.hear(a_stop(event_id="s1"))
    talk.write("二")
    talk.hear(a_stop(event_id="s1"))
    assert talk.state.turn is not None


def test_who_joins_in_mid_turn_is_made_known_to_the_engine_and_told_where_the_stream_stands() -> None:
    talk = Conversation()
    talk.write(gateway="g1")
    talk.begin("e1")
    decision = talk.hear(an_attach("g2"))
    assert [(route.key, event.gateway_id) for route, event in decision.sends if isinstance(event, TurnJoined)] == [
        ("replica.e1", "g2")
    ]
    assert decision.heads == ["g2"]
    assert talk.state.gateways == ("g1", "g2")


def test_who_joins_before_the_engine_is_known_is_made_known_to_it_when_it_announces_itself() -> None:
    talk = Conversation()
    talk.write(gateway="g1")
    for _ in range(2):
        talk.hear(an_attach("g2"))
    assert not talk.all(TurnJoined)
    talk.begin("e1")
    talk.begin("e1")
    assert [event.gateway_id for event in talk.all(TurnJoined)] == ["g2"]


def test_a_gateway_that_left_or_is_gone_is_forgotten() -> None:
    talk = Conversation()
    talk.write(gateway="g1")
    talk.hear(an_attach("g2"))
    talk.hear(StreamDetached(meta=a_meta(), gateway_id="g1"))
    talk.hear(GatewayGone("g2"))
    assert talk.state.gateways == ()


def test_a_turn_is_asked_again_under_its_own_id_when_the_bus_has_forgotten_it() -> None:
    talk = Conversation()
    talk.write()
    first = the_question(talk)
    talk.hear(Resumed())
    assert the_question(talk).turn_id == first.turn_id
    assert talk.state.status == OPEN


def test_the_same_step_made_twice_names_everything_the_same() -> None:
    one, other = Conversation(), Conversation()
    for talk in (one, other):
        talk.write("你好", external_id="c1")
    assert one.state == other.state
    assert one.said == other.said
