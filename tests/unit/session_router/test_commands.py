"""Take over, hand back, close, idle: who answers, and who is told."""

from parley.contracts.v1 import Sender, SessionClosed, SessionHandedBack, SessionTakenOver, TurnRequested
from parley.testing.builders import an_agent
from parley_session_router.machine import ASSIGNED, CLOSED, NEW, OPEN, TimeCame
from tests.unit.session_router.conversation import Conversation, a_close, a_handback, a_takeover


def the_result(talk: Conversation) -> tuple[str, int]:
    result = talk.answers[-1].result
    return result.request_id, result.code


def another_agent() -> Sender:
    agent = an_agent(name="Anna")
    agent.id = "agent-2"
    return agent


def test_a_takeover_cancels_the_turn_and_raises_the_ownership() -> None:
    talk = Conversation()
    talk.write()
    talk.take_over()
    assert (talk.state.status, talk.state.ownership, talk.state.turn) == (ASSIGNED, 2, None)
    changed = talk.said[-1].session
    assert (changed.agent.name, changed.ownership, changed.reason) == ("李娜", 2, "takeover")
    assert the_result(talk) == ("r1", 200)
    assert [f.ownership for f in talk.all(SessionTakenOver)] == [2]


def test_a_preview_that_was_being_shown_is_closed_before_the_person_comes() -> None:
    talk = Conversation()
    talk.write()
    talk.begin()
    talk.take_over()
    assert talk.kinds == ["message", "message_end", "session"]
    assert talk.said[1].message_end.finish_reason == "cancelled"


def test_nobody_takes_a_session_that_somebody_else_holds() -> None:
    talk = Conversation()
    talk.write()
    talk.take_over()
    talk.hear(a_takeover(another_agent(), request="r9"))
    assert the_result(talk) == ("r9", 409)
    talk.hear(a_handback(another_agent(), request="r10"))
    assert the_result(talk) == ("r10", 409)
    talk.hear(a_close(another_agent(), request="r11"))
    assert the_result(talk) == ("r11", 409)
    assert talk.state.agent is not None
    assert talk.state.agent.name == "李娜"


def test_a_session_that_does_not_exist_answers_404_and_stays_unborn() -> None:
    talk = Conversation()
    for event in (a_takeover(), a_handback(), a_close()):
        talk.hear(event)
        assert the_result(talk)[1] == 404
    assert talk.state.status == NEW
    assert not talk.said


def test_a_repeated_takeover_after_the_handback_does_not_take_over_again() -> None:
    talk = Conversation()
    talk.write()
    event = a_takeover(request="r1")
    talk.hear(event)
    talk.hear(a_handback(request="r2"))
    before = talk.state
    talk.hear(event)
    assert the_result(talk) == ("r1", 200)
    assert talk.state == before


def test_a_repeated_refusal_stays_a_refusal() -> None:
    talk = Conversation()
    talk.write()
    talk.take_over()
    event = a_takeover(another_agent(), request="r9")
    talk.hear(event)
    talk.hear(a_handback(request="r2"))
    talk.hear(event)
    assert the_result(talk) == ("r9", 409)
    assert talk.state.status == OPEN


def test_after_the_handback_the_engine_answers_what_comes_next_and_nothing_older() -> None:
    talk = Conversation()
    talk.write("给我人工")
    talk.take_over()
    talk.write("我的订单号是 7")
    talk.hear(a_handback())
    assert (talk.state.status, talk.state.ownership) == (OPEN, 3)
    assert len(talk.all(TurnRequested)) == 1
    talk.write("还有一个问题")
    assert [m.text for m in talk.all(TurnRequested)[-1].asked] == ["还有一个问题"]
    assert [f.ownership for f in talk.all(SessionHandedBack)] == [3]


def test_closing_is_noted_once() -> None:
    talk = Conversation()
    talk.write()
    talk.hear(a_close(request="r1"))
    talk.hear(a_close(request="r2"))
    assert talk.state.status == CLOSED
    assert [f.reason for f in talk.all(SessionClosed)] == ["closed"]
    assert the_result(talk) == ("r2", 200)


def test_silence_closes_a_session_that_the_engine_answers() -> None:
    talk = Conversation(idle_seconds=600)
    talk.write()
    talk.now += 5
    talk.answer()
    assert talk.state.due_at == talk.now + 600, "counted from the last thing that was said"
    talk.now += 599
    talk.hear(TimeCame())
    assert talk.state.status == OPEN
    talk.now += 1
    talk.hear(TimeCame())
    assert talk.state.status == CLOSED
    assert talk.said[-1].session.reason == "idle"
    assert talk.state.due_at is None


def test_silence_never_closes_a_session_that_waits_for_a_person_or_has_one() -> None:
    talk = Conversation()
    talk.wait_for_a_person()
    assert talk.state.due_at is None
    talk.take_over()
    assert talk.state.due_at is None
    talk.now += 10_000
    talk.hear(TimeCame())
    assert talk.state.status == ASSIGNED


def test_the_last_decisions_say_why() -> None:
    talk = Conversation()
    talk.write()
    talk.take_over()
    assert [reason.why for reason in talk.state.decisions[:2]] == ["taken over by 李娜", "cancelled the turn: takeover"]
    assert len(talk.state.decisions) <= 8
