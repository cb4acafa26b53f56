"""Every interleaving that Hypothesis can think of, against a simple model and against what always holds of a session.

Inputs are stepped, later committed together; a crash loses what was not committed, and the broker brings back what was
not settled. Only what is committed counts.
"""

from collections import Counter
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from parley.contracts.v1 import (
    ReplyRefused,
    SenderKind,
    SendMessage,
    TurnFailed,
    TurnFinished,
    TurnRequested,
    TurnStarted,
    VisitorTyping,
)
from parley.testing.builders import SESSION, TENANT, a_message_received, a_meta, an_agent
from parley_session_router.machine import (
    ASSIGNED,
    Decision,
    GatewayGone,
    Resumed,
    Rules,
    RunningTurn,
    SessionState,
    TimeCame,
    step,
)
from parley_session_router.machine.codec import decode, encode
from tests.unit.session_router.conversation import (
    NOW,
    TRACE,
    a_close,
    a_handback,
    a_result,
    a_stop,
    a_takeover,
    an_agents_message,
    an_attach,
)
from tests.unit.session_router.oracle import HOLD, IDLE, TURN, TYPING, Oracle

REDELIVERED = 12  # a broker repeats what was not settled, which is never far back
OURS = (TimeCame, GatewayGone, Resumed)  # what a shard tells itself comes from no broker
RULES = Rules(turn_seconds=TURN, idle_seconds=IDLE, typing_seconds=TYPING, hold_seconds=HOLD)


class Session(RuleBasedStateMachine):
    """Visitor, engines, agents and a careless broker act on one session; its owner crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.state = SessionState(TENANT, SESSION)
        self.record = (encode(self.state), self.state.recent_ids)
        self.open: list[tuple[Any, float, Decision]] = []  # decided, not committed
        self.batch = 1
        self.heard: list[Any] = []  # deliveries whose decisions are committed
        self.said: list[Any] = []
        self.sent: list[Any] = []
        self.oracle = Oracle()
        self.turns: list[RunningTurn] = []
        self.count = 0

    # ---- the owner ----------------------------------------------------------------------------------------

    def hear(self, event: Any) -> None:
        self.count += 1
        if not isinstance(event, OURS):
            event.meta.event_id = event.meta.event_id or f"ev{self.count}"
        self.take(event)

    def take(self, event: Any) -> None:
        """Decide it, and commit once the batch is full."""
        self.decide(event)
        if len(self.open) >= self.batch:
            self.commit()

    def decide(self, event: Any) -> None:
        decision = step(self.state, event, self.now, RULES, traceparent=TRACE)
        again = step(self.state, event, self.now, RULES, traceparent=TRACE)
        assert decision.state == again.state, "a step depends on more than its input"
        self.state = decision.state
        self.open.append((event, self.now, decision))
        if self.state.turn is not None and self.state.turn not in self.turns:
            self.turns.append(self.state.turn)

    @rule(size=st.integers(2, 6))
    def the_next_inputs_are_one_batch(self, size: int) -> None:
        self.batch = size

    def commit(self) -> None:
        self.record = (encode(self.state), self.state.recent_ids)
        for event, now, decision in self.open:
            self.compare(event, now, decision)
        self.open, self.batch = [], 1

    @rule(unsettled=st.integers(0, REDELIVERED))
    def the_owner_crashes_and_another_reads_the_record(self, unsettled: int) -> None:
        self.state = decode(*self.record)
        lost = [event for event, _, _ in self.open if not isinstance(event, OURS)]
        again = self.heard[-unsettled:] if unsettled else []
        self.open = []
        for event in [*again, *lost]:
            self.decide(event)
        self.commit()

    def compare(self, event: Any, now: float, decision: Decision) -> None:
        """What was decided is what the model says."""
        person = self.oracle.holder
        expected = self.oracle.hear(event, now)
        for _, sent in decision.sends:
            if isinstance(sent, TurnRequested) and not isinstance(event, Resumed):
                self.oracle.asks_now(sent.turn_id, now)
        entries = [entry.event for entry in decision.entries]
        assert [words(entry) for entry in entries] == expected
        if person and self.oracle.holder:
            assert not any(speaks(entry) for entry in entries), "a bot spoke over a person"
        if not isinstance(event, OURS) and event not in self.heard:
            self.heard.append(event)
        self.said += entries
        self.sent += [sent for _, sent in decision.sends]
        assert bool(self.oracle.running) == self.oracle.asks or self.oracle.begun

    # ---- who acts on it -------------------------------------------------------------------------------------

    @rule(text=st.sampled_from(["你好", "我要退款", "Where is my order?", "？"]))
    def the_visitor_writes(self, text: str) -> None:
        self.hear(a_message_received(text, external_id=f"c{self.count}"))

    @rule()
    def the_visitor_types(self) -> None:
        self.hear(VisitorTyping(meta=a_meta(), gateway_id="g1"))

    @rule()
    def the_visitor_presses_stop(self) -> None:
        self.hear(a_stop(event_id=f"s{self.count}"))

    @precondition(lambda self: self.heard)
    @rule(data=st.data())
    def the_broker_repeats_something(self, data: st.DataObject) -> None:
        self.take(data.draw(st.sampled_from(self.heard[-REDELIVERED:])))

    @precondition(lambda self: self.turns)
    @rule(data=st.data(), handoff=st.sampled_from(["", "", "not_sure"]))
    def an_engine_answers_in_time_or_late(self, data: st.DataObject, handoff: str) -> None:
        self.hear(a_result(self.a_turn(data), handoff=handoff))

    @precondition(lambda self: self.turns)
    @rule(data=st.data())
    def an_engine_begins(self, data: st.DataObject) -> None:
        turn = self.a_turn(data)
        self.hear(TurnStarted(meta=a_meta(), turn_id=turn.turn_id, engine_id="e1"))

    @precondition(lambda self: self.turns)
    @rule(data=st.data())
    def an_engine_fails(self, data: st.DataObject) -> None:
        turn = self.a_turn(data)
        self.hear(TurnFailed(meta=a_meta(), turn_id=turn.turn_id, ownership=turn.ownership, reason="x"))

    def a_turn(self, data: st.DataObject) -> RunningTurn:
        """Mostly the newest; late results are of any that were asked lately."""
        turn: RunningTurn = data.draw(st.sampled_from([self.turns[-1], self.turns[-1], *self.turns[-6:]]))
        return turn

    @rule(seconds=st.sampled_from([0.125, 0.125, 0.5, 2.0, 44.0, 46.0, 601.0]), fires=st.booleans())
    def time_passes(self, seconds: float, fires: bool) -> None:
        self.now += seconds
        if fires:
            self.hear(TimeCame())

    @rule(number=st.integers(1, 2))
    def an_agent_takes_over(self, number: int) -> None:
        self.hear(a_takeover(agent(number), request=f"r{self.count}"))

    @rule(number=st.integers(1, 2))
    def an_agent_hands_back(self, number: int) -> None:
        self.hear(a_handback(agent(number), request=f"r{self.count}"))

    @rule(number=st.integers(1, 2))
    def an_agent_writes(self, number: int) -> None:
        self.hear(an_agents_message(agent=agent(number), external_id=f"a{self.count}"))

    @rule(number=st.integers(1, 2))
    def somebody_closes(self, number: int) -> None:
        self.hear(a_close(agent(number), request=f"r{self.count}"))

    @rule(gateway=st.sampled_from(["g1", "g2"]), comes=st.booleans())
    def a_gateway_comes_or_goes(self, gateway: str, comes: bool) -> None:
        self.hear(an_attach(gateway) if comes else GatewayGone(gateway))

    @rule()
    def a_service_speaks(self) -> None:
        self.hear(SendMessage(meta=a_meta(), text="Welcome", external_message_id=f"w{self.count}"))

    @rule()
    def the_bus_forgets(self) -> None:
        self.hear(Resumed())

    # ---- what always holds ----------------------------------------------------------------------------------

    @invariant()
    def the_stream_has_no_gaps(self) -> None:
        assert [event.seq for event in self.said] == list(range(1, len(self.said) + 1))

    @invariant()
    def the_machine_is_where_the_model_is(self) -> None:
        if self.open:
            return
        state, oracle = self.state, self.oracle
        assert (state.status, state.agent.id if state.agent else "") == (oracle.status, oracle.holder)
        assert (state.ownership, state.head_seq) == (oracle.ownership, len(self.said))
        assert (state.turn.turn_id if state.turn else "") == oracle.running
        assert state.starts_at == oracle.starts_at
        assert state.idle_at == oracle.idle_at
        assert [message.client_msg_id for message in state.unanswered] == [name for name, _ in oracle.unanswered]

    @invariant()
    def each_turn_has_one_outcome_when_it_is_over(self) -> None:
        finished = [(fact.turn_id, fact.outcome) for fact in self.sent if isinstance(fact, TurnFinished)]
        assert finished == self.oracle.outcomes
        ended = Counter(turn for turn, _ in finished)
        for turn in {sent.turn_id for sent in self.sent if isinstance(sent, TurnRequested)}:
            assert ended[turn] == (0 if turn == self.oracle.running else 1)

    @invariant()
    def each_refused_reply_is_an_event(self) -> None:
        assert sum(isinstance(sent, ReplyRefused) for sent in self.sent) == self.oracle.refused

    @invariant()
    def no_message_is_stored_twice(self) -> None:
        stored = Counter(body(event).message_id for event in self.said if not event.HasField("session"))
        assert set(stored.values()) <= {1}

    @invariant()
    def whatever_is_owed_has_a_timer(self) -> None:
        if self.state.turn is not None or self.state.starts_at is not None:
            assert self.state.due_at is not None
        if self.state.unanswered and self.state.status != ASSIGNED:
            assert self.state.turn is not None or self.state.starts_at is not None


def agent(number: int) -> Any:
    one = an_agent()
    one.id = f"agent-{number}"
    return one


def body(event: Any) -> Any:
    return getattr(event, event.WhichOneof("body"))


def speaks(event: Any) -> bool:
    """Whether a program says something."""
    said = body(event)
    programs = (SenderKind.SENDER_KIND_ENGINE, SenderKind.SENDER_KIND_SYSTEM)
    return not event.HasField("session") and said.sender.kind in programs and bool(said.text)


def words(event: Any) -> str:
    """An entry as the model names it."""
    said = body(event)
    if event.HasField("session"):
        return f"session {said.reason}"
    if said.sender.kind == SenderKind.SENDER_KIND_VISITOR:
        return f"visitor {said.client_msg_id}"
    if said.sender.kind == SenderKind.SENDER_KIND_AGENT:
        return f"agent {said.client_msg_id}"
    if not said.turn_id:
        return "service"
    return f"end {said.notice or {'stop': 'answered'}.get(said.finish_reason, said.finish_reason)}"


class Longer(Session):
    """The same, for longer."""


Session.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
Longer.TestCase.settings = settings(max_examples=500, stateful_step_count=80, deadline=None)
TestSession = Session.TestCase
TestLonger = pytest.mark.slow(Longer.TestCase)
