"""Short messages in a burst become one turn; what was begun for nothing is told to stop, and accounted."""

import pytest

from parley.contracts.v1 import TurnCancelled, TurnFinished, TurnRequested, VisitorTyping
from parley.testing.builders import a_message_received, a_meta
from parley_session_router.machine import CLOSED, WAITING, Resumed, Rules, TimeCame
from parley_session_router.machine.codec import decode, encode
from tests.unit.session_router.conversation import (
    Conversation,
    a_close,
    a_result,
    a_stop,
    the_question,
)


def types(talk: Conversation) -> None:
    talk.hear(VisitorTyping(meta=a_meta(), gateway_id="g1"))


def passes(talk: Conversation, seconds: float) -> None:
    talk.now += seconds
    talk.hear(TimeCame())


def cancelled(talk: Conversation) -> list[tuple[str, str, int]]:
    ended = [fact for fact in talk.all(TurnFinished) if fact.outcome == "cancelled"]
    return [(fact.turn_id, fact.reason, fact.duration_ms) for fact in ended]


def test_three_messages_in_two_seconds_get_one_answer_and_the_vain_work_is_accounted() -> None:
    talk = Conversation()
    turns = []
    for text in ("你好", "我的订单", "什么时候到？"):
        talk.write(text)
        turns.append(talk.turn.turn_id)
        talk.now += 0.75
    assert [m.text for m in the_question(talk).asked] == ["你好", "我的订单", "什么时候到？"]
    assert cancelled(talk) == [(turns[0], "superseded", 750), (turns[1], "superseded", 750)]
    assert [(f.turn_id, f.reason) for f in talk.all(TurnCancelled)] == [(t, "superseded") for t in turns[:2]]
    talk.answer("您的订单明天到。")
    assert talk.kinds == ["message", "message", "message", "message_end"]


def test_a_cancelled_turn_says_on_its_decision_what_it_cost_and_why() -> None:
    talk = Conversation()
    talk.write("一")
    talk.now += 1.5
    decision = talk.hear(VisitorTyping(meta=a_meta(), gateway_id="g1"))
    assert decision.outcome == ("cancelled", "", 1.5)
    assert decision.outcome_reason == "typing"


def test_a_turn_starts_at_once_however_much_was_typed_before() -> None:
    talk = Conversation()
    types(talk)
    talk.write("多久可以退货？")
    assert the_question(talk).turn_id == talk.turn.turn_id


def test_who_types_on_is_waited_for_and_the_next_message_ends_the_wait() -> None:
    talk = Conversation()
    talk.write("你好")
    first = talk.turn.turn_id
    talk.now += 0.3
    types(talk)
    assert talk.state.turn is None
    assert cancelled(talk) == [(first, "typing", 300)]
    talk.now += 0.9
    talk.write("我的订单还没到")
    assert [m.text for m in the_question(talk).asked] == ["你好", "我的订单还没到"]
    assert talk.state.starts_at is None
    assert len(talk.all(TurnRequested)) == 2


def test_who_stops_typing_is_waited_for_until_the_signal_has_run_out() -> None:
    talk = Conversation(typing_seconds=1.0, hold_seconds=5.0)
    talk.write("你好")
    types(talk)
    assert talk.state.due_at == talk.now + 1.0
    talk.now += 0.5
    types(talk)
    assert talk.state.due_at == talk.now + 1.0
    passes(talk, 0.9)
    assert talk.state.turn is None
    passes(talk, 0.1)
    assert [m.text for m in the_question(talk).asked] == ["你好"]
    assert len(talk.all(TurnRequested)) == 2


def test_nobody_is_waited_for_longer_than_the_limit() -> None:
    talk = Conversation(typing_seconds=3.0, hold_seconds=2.0)
    wrote = talk.now
    talk.write("你好")
    for _ in range(4):
        talk.now += 0.45
        types(talk)
    assert talk.state.due_at == wrote + 2.0
    talk.now = wrote
    passes(talk, 2.0)
    assert talk.state.turn is not None
    types(talk)
    assert talk.state.turn is not None, "typing on puts off no turn whose time had come"


def test_typing_signals_that_change_nothing_cost_no_write() -> None:
    talk = Conversation()
    talk.write("你好")
    types(talk)
    before = talk.state
    talk.now += 0.5
    types(talk)
    assert talk.state is before, "the limit was reached already"
    idle = Conversation()
    before = idle.state
    types(idle)
    assert idle.state is before


def test_a_bot_may_wait_for_nobody() -> None:
    talk = Conversation(hold_seconds=0.0)
    talk.write("你好")
    types(talk)
    assert talk.state.turn is not None


def test_an_answer_that_is_being_shown_is_not_taken_back() -> None:
    talk = Conversation()
    talk.write("你好")
    talk.begin()
    types(talk)
    assert talk.state.turn is not None


def test_the_wait_survives_a_crash_and_a_bus_that_forgets() -> None:
    talk = Conversation()
    talk.write("你好")
    types(talk)
    talk.state = decode(encode(talk.state), talk.state.recent_ids)
    talk.hear(Resumed())
    assert talk.state.turn is None
    passes(talk, 2.0)
    assert talk.state.turn is not None


@pytest.mark.parametrize("how", ["takeover", "close", "stop"])
def test_whatever_ends_the_question_ends_the_wait(how: str) -> None:
    talk = Conversation()
    talk.write("你好")
    types(talk)
    if how == "takeover":
        talk.take_over()
    else:
        talk.hear(a_close() if how == "close" else a_stop())
    assert (talk.state.starts_at, talk.state.unanswered) == (None, ())
    passes(talk, 5.0)
    assert talk.state.turn is None
    assert (talk.state.status == CLOSED) == (how == "close")


def test_a_late_answer_of_a_turn_that_was_put_off_is_refused() -> None:
    talk = Conversation()
    talk.write("你好")
    late = a_result(talk.turn)
    types(talk)
    assert not talk.hear(late).entries
    passes(talk, 2.0)
    talk.answer()
    assert talk.kinds == ["message", "message_end"]


def test_typing_to_a_person_changes_nothing() -> None:
    talk = Conversation()
    talk.wait_for_a_person()
    before = talk.state
    types(talk)
    assert talk.state is before
    assert before.status == WAITING


def test_each_bot_has_its_own_rules_and_engines() -> None:
    shop = Rules(turn_seconds=10, group="shop")
    chat = Rules(turn_seconds=20, group="shop", hold_seconds=0)
    rules = Rules(bots={"demo": shop, "demo/wechat": chat})
    assert rules.of("demo", "web") is shop
    assert rules.of("demo", "wechat") is chat
    assert rules.of("别家", "wechat") is rules
    assert rules.longest_turn == 45
    talk = Conversation(bots={"demo": shop})
    talk.write()
    assert (the_question(talk).group, talk.state.due_at) == ("shop", talk.now + 10)


def test_the_first_message_of_a_channel_meets_its_own_bot() -> None:
    talk = Conversation(bots={"demo/wechat": Rules(turn_seconds=20, group="wechat")})
    event = a_message_received("你好")
    event.channel = "wechat"
    talk.hear(event)
    assert the_question(talk).group == "wechat"
