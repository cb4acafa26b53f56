"""What a visitor, an agent or a service writes, and what comes of it."""

import pytest

from parley.contracts.v1 import MessageStored, SenderKind, SendMessage, SessionOpened, TurnRequested
from parley.core import Reject
from parley.testing.builders import a_message_received, a_meta, an_agent
from parley_session_router.machine import ASSIGNED, OPEN, recent
from parley_session_router.store import RECENT_IDS
from tests.unit.session_router.conversation import Conversation, a_close, a_handback, an_agents_message, an_attach


def test_the_first_message_opens_the_session_is_stored_and_starts_a_turn() -> None:
    talk = Conversation()
    event = talk.write("我要退款", external_id="c1", gateway="g1")
    assert talk.state.status == OPEN
    assert [(e.seq, e.message.text, e.message.client_msg_id) for e in talk.said] == [(1, "我要退款", "c1")]
    assert [fact.channel for fact in talk.all(SessionOpened)] == ["web"]
    assert [fact.seq for fact in talk.all(MessageStored)] == [1]
    assert [m.text for m in talk.all(TurnRequested)[0].asked] == [event.text]


def test_the_gateway_that_asked_hears_the_place_of_the_message() -> None:
    talk = Conversation()
    talk.write(external_id="c1", gateway="g1")
    accepted = talk.answers[0].accepted
    assert (talk.answers[0].gateway_id, accepted.external_message_id, accepted.seq) == ("g1", "c1", 1)
    assert accepted.message_id == talk.said[0].message.message_id
    assert accepted.trace_id == "a" * 32
    assert not accepted.duplicate


def test_the_gateway_of_a_message_shows_the_session_from_then_on() -> None:
    talk = Conversation()
    talk.write(gateway="g1")
    assert talk.state.gateways == ("g1",)


def test_a_repeated_message_gets_the_same_answer_and_has_no_effect() -> None:
    talk = Conversation()
    event = talk.write(external_id="c1")
    first, before = talk.answers[-1].accepted, talk.state
    decision = talk.hear(event)
    again = talk.answers[-1].accepted
    assert (again.message_id, again.seq, again.duplicate) == (first.message_id, first.seq, True)
    assert decision.state is before
    assert not decision.entries
    assert not decision.sends


def test_the_same_id_from_another_session_is_another_message() -> None:
    one, other = Conversation(), Conversation()
    one.write(external_id="c1")
    other.hear(a_message_received("hello", session="ses_other", external_id="c1"))
    assert one.said[0].message.message_id != other.said[0].message.message_id


def test_a_message_without_an_id_of_its_own_is_told_apart_by_its_event() -> None:
    talk = Conversation()
    for number in (1, 2):
        event = a_message_received(f"第{number}句")
        event.external_message_id, event.meta.event_id = "", f"ev{number}"
        talk.hear(event)
        talk.hear(event)
    assert [e.message.text for e in talk.said] == ["第1句", "第2句"]


def test_only_the_latest_ids_are_remembered() -> None:
    talk = Conversation()
    for number in range(RECENT_IDS + 6):
        talk.write(external_id=f"c{number}")
    assert recent.count(talk.state.recent_ids) == RECENT_IDS


def test_what_a_person_is_waiting_to_answer_starts_no_turn() -> None:
    talk = Conversation()
    talk.wait_for_a_person()
    asked = len(talk.all(TurnRequested))
    talk.write("还在吗？")
    assert talk.said[-1].message.text == "还在吗？"
    assert len(talk.all(TurnRequested)) == asked


def test_a_message_in_a_closed_session_opens_it_again() -> None:
    talk = Conversation()
    talk.write()
    talk.answer()
    talk.hear(a_close())
    talk.write("又有一个问题")
    assert talk.state.status == OPEN
    assert [e.seq for e in talk.said] == list(range(1, len(talk.said) + 1))
    assert talk.said[-2].session.reason == "reopened"
    assert [m.text for m in talk.all(TurnRequested)[-1].asked] == ["又有一个问题"]


def test_an_agent_speaks_only_while_the_session_is_theirs() -> None:
    talk = Conversation()
    talk.write()
    talk.hear(an_agents_message())
    assert talk.answers[-1].accepted.seq == 0
    talk.take_over()
    talk.hear(an_agents_message())
    assert talk.said[-1].message.sender.name == "李娜"
    assert talk.answers[-1].accepted.seq == talk.said[-1].seq
    stranger = an_agent(name="别人")
    stranger.id = "agent-2"
    talk.hear(an_agents_message(agent=stranger, external_id="a2"))
    assert talk.answers[-1].accepted.seq == 0
    talk.hear(a_handback())
    talk.hear(an_agents_message(external_id="a3"))
    assert talk.answers[-1].accepted.seq == 0


def test_a_service_may_speak_once_per_cause_but_never_over_a_person() -> None:
    talk = Conversation()
    early = SendMessage(meta=a_meta(), text="Welcome!", external_message_id="w1")
    early.meta.event_id = "ev-early"
    talk.hear(early)
    assert not talk.said, "nobody has come yet"
    talk.write()
    talk.hear(early)
    assert talk.kinds == ["message"], "what was refused stays refused when it is repeated"
    event = SendMessage(meta=a_meta(), text="营业时间是九点到六点。", external_message_id="w2")
    talk.hear(event)
    talk.hear(event)
    assert [e.message_end.text for e in talk.said if e.HasField("message_end")] == ["营业时间是九点到六点。"]
    talk.take_over()
    assert talk.state.status == ASSIGNED
    before = len(talk.said)
    talk.hear(SendMessage(meta=a_meta(), text="Anything else?", external_message_id="w3"))
    assert len(talk.said) == before


@pytest.mark.parametrize(
    ("text", "complaint"), [("", "a text or a picture"), (" \n", "a text or a picture"), ("x" * 20_001, "20001")]
)
def test_what_can_never_be_a_message_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(Reject, match=complaint):
        Conversation().write(text)


def test_a_sender_who_claims_to_be_an_engine_is_a_visitor() -> None:
    talk = Conversation()
    event = a_message_received("hi")
    event.sender.kind = SenderKind.SENDER_KIND_ENGINE
    talk.hear(event)
    assert talk.kinds == ["message"]


def test_a_message_of_a_channel_keeps_its_visitor_and_attaches_no_gateway() -> None:
    talk = Conversation()
    event = a_message_received("你好")
    event.channel, event.sender.id = "wechat", "openid-7"
    talk.hear(event)
    assert (talk.state.channel, talk.state.external_id, talk.state.gateways) == ("wechat", "openid-7", ())


def test_only_the_newest_gateways_are_kept() -> None:
    talk = Conversation()
    talk.write(gateway="g0")
    for number in range(1, 20):
        talk.hear(an_attach(f"g{number}"))
    assert len(talk.state.gateways) == 16
    assert talk.state.gateways[-1] == "g19"
