"""People and engines at the same moment, ten thousand times: no engine speaks once a takeover is committed."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from parley.contracts.v1 import ReplyRefused, SenderKind, SendMessage, TurnCompleted, TurnFailed, TurnStarted
from parley.testing.builders import SESSION, TENANT, a_message_received, a_meta
from parley_session_router.machine import ASSIGNED, Decision, Rules, RunningTurn, SessionState, TimeCame, step
from parley_session_router.machine.codec import decode, encode
from tests.unit.session_router.conversation import NOW, TRACE, a_handback, a_result, a_takeover, an_agents_message

PROGRAMS = (SenderKind.SENDER_KIND_ENGINE, SenderKind.SENDER_KIND_SYSTEM)
RULES = Rules()
REPLIES = (TurnCompleted, TurnFailed, SendMessage)


class Race:
    """One session in which everything happens at once; its owner crashes now and then, and the broker repeats."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.state = SessionState(TENANT, SESSION)
        self.now = NOW
        self.turns: list[RunningTurn] = []
        self.spoken = self.refused = self.replies = self.takeovers = self.ignored = 0

    def run(self) -> None:
        """A few rounds of inputs, each round in any order, some of them twice."""
        for number in range(self.chance.randint(2, 5)):
            self.hear(a_message_received("我要退款", external_id=f"c{number}"))
            inputs = [*self.engines(number), *self.people(number)]
            inputs += self.chance.sample(inputs, self.chance.randint(0, 3))
            self.chance.shuffle(inputs)
            for event in inputs:
                if self.chance.random() < 0.1:
                    self.state = decode(encode(self.state), self.state.recent_ids)
                self.now += self.chance.choice((0.0, 0.01, 0.5, 20.0))
                self.hear(event)
                self.hear(TimeCame())

    def engines(self, number: int) -> Iterator[Any]:
        for turn in self.turns[-3:]:
            yield TurnStarted(meta=a_meta(), turn_id=turn.turn_id, engine_id="e1")
            yield a_result(turn, handoff=self.chance.choice(("", "", "not_sure")))
            if self.chance.random() < 0.3:
                yield TurnFailed(meta=a_meta(), turn_id=turn.turn_id, ownership=turn.ownership, reason="x")
        yield SendMessage(meta=a_meta(), text="Welcome", external_message_id=f"w{number}")

    def people(self, number: int) -> Iterator[Any]:
        yield a_takeover(request=f"t{number}")
        yield an_agents_message(external_id=f"a{number}")
        if self.chance.random() < 0.5:
            yield a_handback(request=f"h{number}")

    def hear(self, event: Any) -> None:
        if not isinstance(event, TimeCame):
            event.meta.event_id = event.meta.event_id or f"ev{self.chance.getrandbits(64)}"
        before = self.state
        decision = step(before, event, self.now, RULES, traceparent=TRACE)
        self.state = decision.state
        if self.state.turn is not None and self.state.turn not in self.turns:
            self.turns.append(self.state.turn)
        self.takeovers += before.status != ASSIGNED and self.state.status == ASSIGNED
        spoke = [entry.event for entry in decision.entries if speaks(entry.event)]
        if before.status == ASSIGNED:
            assert not spoke, f"a program spoke over a person: {event}"
        assert [entry.event.seq for entry in decision.entries] == list(
            range(before.head_seq + 1, self.state.head_seq + 1)
        )
        if isinstance(event, REPLIES):
            self.count(event, spoke, decision)

    def count(self, event: Any, spoke: list[Any], decision: Decision) -> None:
        """Each reply is said, or refused as an event, or a repeat of a service's message that is known."""
        refused = sum(isinstance(sent, ReplyRefused) for _, sent in decision.sends)
        known = isinstance(event, SendMessage) and decision.duplicates and not refused
        assert bool(spoke) + refused + bool(known) == 1
        self.replies += 1
        self.spoken += bool(spoke)
        self.refused += refused
        self.ignored += bool(known)


def speaks(event: Any) -> bool:
    said = event.message_end if event.HasField("message_end") else event.message
    return not event.HasField("session") and said.sender.kind in PROGRAMS and bool(said.text)


def races(number: int) -> tuple[int, int, int]:
    """Run so many; how many takeovers there were, how many replies were said, how many refused."""
    ran = [Race(seed) for seed in range(number)]
    for race in ran:
        race.run()
        assert race.replies == race.spoken + race.refused + race.ignored
    return sum(r.takeovers for r in ran), sum(r.spoken for r in ran), sum(r.refused for r in ran)


def test_no_engine_speaks_after_a_committed_takeover_and_each_refused_reply_is_an_event() -> None:
    takeovers, spoken, refused = races(300)
    assert min(takeovers, spoken, refused) > 300, "the races were none"


@pytest.mark.slow
def test_ten_thousand_races(capsys: pytest.CaptureFixture[str]) -> None:
    takeovers, spoken, refused = races(10_000)
    with capsys.disabled():
        print(
            f"10,000 races, {takeovers:,} takeovers: {spoken:,} replies said before, {refused:,} refused after, 0 over"
        )
