"""Every interleaving that Hypothesis can think of, against what always holds of a session."""

from collections import Counter
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from parley.contracts.v1 import SenderKind, SendMessage, TurnFailed, TurnFinished, TurnRequested, TurnStarted
from parley.testing.builders import a_message_received, a_meta, an_agent
from parley_session_router.machine import ASSIGNED, GatewayGone, Resumed, RunningTurn, TimeCame
from parley_session_router.machine.codec import decode, encode
from tests.unit.session_router.conversation import (
    Conversation,
    a_close,
    a_handback,
    a_result,
    a_stop,
    a_takeover,
    an_agents_message,
    an_attach,
)

REDELIVERED = 12  # a broker repeats what was not settled, which is never far back


class Session(RuleBasedStateMachine):
    """Visitor, engines, agents and a careless broker act on one session."""

    def __init__(self) -> None:
        super().__init__()
        self.talk = Conversation(turn_seconds=45, idle_seconds=600)
        self.heard: list[Any] = []
        self.turns: list[RunningTurn] = []
        self.count = 0

    def hear(self, event: Any) -> None:
        """A new input."""
        self.count += 1
        if not isinstance(event, TimeCame | GatewayGone | Resumed):
            event.meta.event_id = event.meta.event_id or f"ev{self.count}"
            self.heard.append(event)
        self.step(event)

    def step(self, event: Any) -> None:
        """Hear it and check what no step may do."""
        person = self.talk.state.status == ASSIGNED
        decision = self.talk.hear(event)
        if self.talk.state.turn is not None and self.talk.state.turn not in self.turns:
            self.turns.append(self.talk.state.turn)
        if person:
            assert not any(entry.event.message_end.text for entry in decision.entries), "a bot over a person"

    @rule(text=st.sampled_from(["你好", "我要退款", "Where is my order?", "？"]))
    def the_visitor_writes(self, text: str) -> None:
        self.hear(a_message_received(text, external_id=f"c{self.count}"))

    @precondition(lambda self: self.heard)
    @rule(data=st.data())
    def the_broker_repeats_something(self, data: st.DataObject) -> None:
        before, entries = self.talk.state, len(self.talk.said)
        self.step(data.draw(st.sampled_from(self.heard[-REDELIVERED:])))
        after = self.talk.state
        assert len(self.talk.said) == entries, "a repeat was stored"
        assert (after.status, after.ownership, after.head_seq) == (before.status, before.ownership, before.head_seq)
        assert (after.turn is None) == (before.turn is None)

    @precondition(lambda self: self.turns)
    @rule(data=st.data(), handoff=st.sampled_from(["", "", "not_sure"]))
    def an_engine_answers_in_time_or_late(self, data: st.DataObject, handoff: str) -> None:
        self.hear(a_result(data.draw(st.sampled_from(self.turns)), handoff=handoff))

    @precondition(lambda self: self.turns)
    @rule(data=st.data())
    def an_engine_begins(self, data: st.DataObject) -> None:
        turn = data.draw(st.sampled_from(self.turns))
        self.hear(TurnStarted(meta=a_meta(), turn_id=turn.turn_id, engine_id="e1"))

    @precondition(lambda self: self.turns)
    @rule(data=st.data())
    def an_engine_fails(self, data: st.DataObject) -> None:
        turn = data.draw(st.sampled_from(self.turns))
        self.hear(TurnFailed(meta=a_meta(), turn_id=turn.turn_id, ownership=turn.ownership, reason="x"))

    @rule(seconds=st.sampled_from([0.1, 44.0, 46.0, 601.0]))
    def time_passes(self, seconds: float) -> None:
        self.talk.now += seconds
        self.hear(TimeCame())

    @rule(number=st.integers(1, 2))
    def an_agent_takes_over(self, number: int) -> None:
        self.hear(a_takeover(self.agent(number), request=f"r{self.count}"))

    @rule(number=st.integers(1, 2))
    def an_agent_hands_back(self, number: int) -> None:
        self.hear(a_handback(self.agent(number), request=f"r{self.count}"))

    @rule(number=st.integers(1, 2))
    def an_agent_writes(self, number: int) -> None:
        self.hear(an_agents_message(agent=self.agent(number), external_id=f"a{self.count}"))

    @rule()
    def somebody_closes(self) -> None:
        self.hear(a_close(request=f"r{self.count}"))

    @rule()
    def the_visitor_presses_stop(self) -> None:
        self.hear(a_stop(event_id=f"s{self.count}"))

    @rule(gateway=st.sampled_from(["g1", "g2"]), comes=st.booleans())
    def a_gateway_comes_or_goes(self, gateway: str, comes: bool) -> None:
        self.hear(an_attach(gateway) if comes else GatewayGone(gateway))

    @rule()
    def a_service_speaks(self) -> None:
        self.hear(SendMessage(meta=a_meta(), text="Welcome", external_message_id=f"w{self.count}"))

    @rule()
    def the_owner_crashes_and_another_reads_the_state(self) -> None:
        state = self.talk.state
        self.talk.state = decode(encode(state), state.recent_ids)
        assert self.talk.state == state

    @rule()
    def the_bus_forgets(self) -> None:
        self.hear(Resumed())

    def agent(self, number: int) -> Any:
        agent = an_agent()
        agent.id = f"agent-{number}"
        return agent

    @invariant()
    def the_stream_has_no_gaps(self) -> None:
        assert [event.seq for event in self.talk.said] == list(range(1, self.talk.state.head_seq + 1))

    @invariant()
    def each_turn_has_one_outcome_when_it_is_over(self) -> None:
        ended = Counter(fact.turn_id for fact in self.talk.all(TurnFinished))
        running = self.talk.state.turn.turn_id if self.talk.state.turn else ""
        for asked in self.talk.all(TurnRequested):
            assert ended[asked.turn_id] == (0 if asked.turn_id == running else 1)

    @invariant()
    def no_message_is_stored_twice(self) -> None:
        ids = [
            (event.message.message_id or event.message_end.message_id)
            for event in self.talk.said
            if not event.HasField("session")
        ]
        assert len(ids) == len(set(ids))

    @invariant()
    def an_open_session_is_never_left_with_an_unanswered_question(self) -> None:
        state = self.talk.state
        assert not state.unanswered or state.turn is not None or state.starts_at is not None

    @invariant()
    def every_turn_that_runs_has_a_deadline(self) -> None:
        state = self.talk.state
        assert state.turn is None or (state.due_at is not None and state.due_at <= self.talk.now + 45)

    @invariant()
    def only_engines_and_the_system_end_turns(self) -> None:
        for event in self.talk.said:
            if event.HasField("message_end"):
                assert event.message_end.sender.kind in (SenderKind.SENDER_KIND_ENGINE, SenderKind.SENDER_KIND_SYSTEM)


Session.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSession = Session.TestCase
