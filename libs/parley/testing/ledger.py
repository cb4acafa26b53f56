"""The ledger of a fault test: what was sent, acknowledged and seen, and what that says of our promises.

lost: acknowledged, but not in the store, or stored and never told to a visitor who stayed. doubled: one client_msg_id,
message or turn under two sequence numbers. reordered: a visitor's own messages, or the stream's numbers, going back.
recovered: sent, never acknowledged, and stored all the same: allowed. unexpected: stored, and sent by nobody.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise

from parley.testing.ledger_checks import (
    backwards,
    doubled,
    gaps,
    is_answer,
    replies,
    turns_answered_twice,
    unanswered,
    waits_for_a_person,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One message as its sender knows it. Times are monotonic seconds; `acked_at` is None while nobody has said yes."""

    session: str
    number: int
    client_msg_id: str
    sent_at: float
    acked_at: float | None = None
    seq: int = 0


@dataclass(slots=True)
class Seen:
    """One durable event as a visitor saw it."""

    seq: int
    kind: str  # message, message_end, session
    message_id: str
    client_msg_id: str
    turn_id: str
    at: float
    finish: str = ""  # of a message_end (`cancelled` is no answer); of a session, its status


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long a fault was felt, in seconds after its end. Infinite for what never came."""

    what: str
    first: float  # until anybody had a message acknowledged and then answered
    everyone: float  # until every visitor who wrote again had
    backlog: float  # until all that was sent before was acknowledged


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledger says. `unanswered` counts acknowledged messages of whose session no reply followed."""

    sent: int = 0
    acked: int = 0
    answered: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    gaps: int = 0
    unanswered: int = 0
    answered_twice: int = 0  # turns with more than one outcome; `doubled` counts them too
    duplicates: int = 0  # events that a visitor was told more than once: information
    recovered: int = 0
    unexpected: int = 0
    longest_gap_s: float = 0.0
    recoveries: tuple[Recovery, ...] = ()

    def line(self) -> str:
        """One line to print."""
        times = ", ".join(f"{r.what} {r.first:.2f}/{r.everyone:.2f}/{r.backlog:.2f}" for r in self.recoveries)
        return (
            f"sent {self.sent}, acked {self.acked}, answered {self.answered}, lost {self.lost}, "
            f"doubled {self.doubled}, reordered {self.reordered}, gaps {self.gaps}, unanswered {self.unanswered}, "
            f"longest silence {self.longest_gap_s:.2f} s; recovery s (first/everyone/backlog): {times or 'none'}"
        )

    def broken(self) -> dict[str, int]:
        """What was promised and not kept, by name; empty when all is well."""
        kept = ("lost", "doubled", "reordered", "gaps", "unanswered", "answered_twice", "unexpected")
        found = {name: number for name, number in asdict(self).items() if name in kept and number}
        return found if self.acked + self.recovered == self.sent else {**found, "unsettled": self.sent - self.acked}

    @property
    def recovery_s(self) -> float:
        """The longest time until the first message after a fault was acknowledged and answered."""
        return max((recovery.first for recovery in self.recoveries), default=0.0)

    @property
    def everyone_s(self) -> float:
        """The longest time until every visitor was served again."""
        return max((recovery.everyone for recovery in self.recoveries), default=0.0)


@dataclass
class Ledger:
    """Everything that happened to some visitors. `clock` gives the time of all that happens to them."""

    clock: Callable[[], float] = time.monotonic
    sent: dict[str, Sent] = field(default_factory=dict)
    seen: dict[str, list[Seen]] = field(default_factory=dict)
    good: list[float] = field(default_factory=list)  # when something good happened, anywhere
    faults: list[tuple[str, float]] = field(default_factory=list)  # what ended when

    def wrote(self, entry: Sent) -> None:
        """A visitor sent (or sent again) a message."""
        self.sent.setdefault(entry.client_msg_id, entry)

    def acked(self, client_msg_id: str, seq: int, at: float) -> None:
        """The message was acknowledged."""
        entry = self.sent[client_msg_id]
        if entry.acked_at is None:
            self.sent[client_msg_id] = replace(entry, acked_at=at, seq=seq)
        self.good.append(at)

    def saw(self, session: str, event: Seen) -> None:
        """A durable event reached a visitor."""
        self.seen.setdefault(session, []).append(event)
        self.good.append(event.at)

    def over(self, what: str, at: float) -> None:
        """A fault has ended, or, for what is replaced by itself, has happened: recovery counts from here."""
        self.faults.append((what, at))

    def recovery(self, what: str, at: float) -> Recovery:
        """How long it took from `at`."""
        firsts = {session: self._served(session, at) for session in {entry.session for entry in self.sent.values()}}
        late = [_or_never(e.acked_at) for e in self.sent.values() if e.sent_at <= at]
        return Recovery(
            what,
            first=min((t for t in firsts.values() if t is not None), default=float("inf")) - at,
            everyone=max((t for t in firsts.values() if t is not None), default=float("inf")) - at,
            backlog=max(0.0, max(late, default=at) - at),
        )

    def verdict(self, history: dict[str, list[Seen]]) -> Verdict:
        """Judge by the store's history of each session, read after all has calmed down, and by what was seen."""
        acked = [entry for entry in self.sent.values() if entry.acked_at is not None]
        stored = {session: {e.client_msg_id for e in events} for session, events in history.items()}

        def over(check: Callable[[list[Seen]], int], *accounts: dict[str, list[Seen]]) -> int:
            return sum(check(events) for account in accounts for events in account.values())

        return Verdict(
            sent=len(self.sent),
            acked=len(acked),
            answered=over(replies, history),
            lost=sum(entry.client_msg_id not in stored.get(entry.session, set()) for entry in acked)
            + self._never_told(history),
            doubled=over(doubled, history, self.seen),
            reordered=over(self._inverted, history) + over(backwards, self.seen),
            gaps=over(gaps, history),
            unanswered=over(unanswered, history),
            answered_twice=over(turns_answered_twice, history),
            duplicates=sum(n - 1 for events in self.seen.values() for n in Counter(e.seq for e in events).values()),
            recovered=sum(
                entry.acked_at is None and entry.client_msg_id in stored.get(entry.session, set())
                for entry in self.sent.values()
            ),
            unexpected=sum(e.client_msg_id not in self.sent for s in history.values() for e in s if e.client_msg_id),
            longest_gap_s=max((b - a for a, b in pairwise(sorted(self.good))), default=0.0),
            recoveries=tuple(self.recovery(what, at) for what, at in self.faults),
        )

    def _served(self, session: str, at: float) -> float | None:
        """When a message acknowledged after `at` had its answer; None for who wrote nothing after `at`."""
        after = [e for e in self.sent.values() if e.session == session and (e.acked_at is None or e.acked_at >= at)]
        if not after:
            return None
        first = min((e.seq for e in after if e.acked_at is not None), default=None)
        if first is None:
            return float("inf")
        events = self.seen.get(session, ())
        if waits_for_a_person(events):
            return min(e.acked_at for e in after if e.acked_at is not None)
        ends = [e.at for e in events if is_answer(e) and e.seq > first and e.at >= at]
        return min(ends, default=float("inf"))

    def _never_told(self, history: dict[str, list[Seen]]) -> int:
        """Stored events that a visitor who stayed to the end was never told (its own are told by their ack)."""
        missing = 0
        for session, events in history.items():
            told = {event.seq for event in self.seen.get(session, [])}
            told |= {entry.seq for entry in self.sent.values() if entry.session == session}
            missing += sum(event.seq not in told for event in events)
        return missing

    def _inverted(self, events: list[Seen]) -> int:
        numbers = [self.sent[e.client_msg_id].number for e in events if e.client_msg_id in self.sent]
        return sum(b < a for a, b in pairwise(numbers))


def _or_never(at: float | None) -> float:
    return float("inf") if at is None else at
