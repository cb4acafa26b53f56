"""The ledger of a fault test: what was sent, acknowledged and seen, and what that says of our promises.

lost: acknowledged, but never seen by the visitor after its last resume. doubled: one client_msg_id or one turn seen
under two sequence numbers. reordered: a visitor's own messages, or the stream's sequence numbers, going back.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledger says. `unanswered` counts acknowledged messages of whose session no reply followed."""

    sent: int
    acked: int
    answered: int
    lost: int
    doubled: int
    reordered: int
    gaps: int
    unanswered: int
    longest_gap_s: float

    def line(self) -> str:
        """One line for the table."""
        return (
            f"sent {self.sent}, acked {self.acked}, answered {self.answered}, lost {self.lost}, "
            f"doubled {self.doubled}, reordered {self.reordered}, gaps {self.gaps}, "
            f"longest silence {self.longest_gap_s:.2f} s"
        )


@dataclass
class Ledger:
    """Everything that happened to some visitors."""

    sent: dict[str, Sent] = field(default_factory=dict)
    seen: dict[str, list[Seen]] = field(default_factory=dict)
    own_numbers: dict[str, list[int]] = field(default_factory=dict)
    good: list[float] = field(default_factory=list)  # when something good happened, anywhere

    def wrote(self, entry: Sent) -> None:
        """A visitor sent (or sent again) a message."""
        self.sent.setdefault(entry.client_msg_id, entry)

    def acked(self, client_msg_id: str, seq: int, at: float) -> None:
        """The message was acknowledged."""
        entry = self.sent[client_msg_id]
        if entry.acked_at is None:
            self.sent[client_msg_id] = Sent(
                entry.session, entry.number, client_msg_id, entry.sent_at, acked_at=at, seq=seq
            )
        self.good.append(at)

    def saw(self, session: str, event: Seen) -> None:
        """A durable event reached a visitor."""
        self.seen.setdefault(session, []).append(event)
        self.good.append(event.at)

    def verdict(self, history: dict[str, list[Seen]]) -> Verdict:
        """Judge by the store's history of each session, read after all has calmed down, and by what was seen."""
        acked = [entry for entry in self.sent.values() if entry.acked_at is not None]
        stored = {session: {e.client_msg_id for e in events} for session, events in history.items()}
        lost = sum(entry.client_msg_id not in stored.get(entry.session, set()) for entry in acked)
        replies = sum(event.kind == "message_end" for events in history.values() for event in events)
        moments = sorted(self.good)
        silence = max((b - a for a, b in pairwise(moments)), default=0.0)
        return Verdict(
            sent=len(self.sent),
            acked=len(acked),
            answered=replies,
            lost=lost + self._missing(history),
            doubled=sum(map(_doubled, history.values())) + sum(map(_doubled, self.seen.values())),
            reordered=sum(self._inverted(events) for events in history.values()) + sum(map(_back, self.seen.values())),
            gaps=sum(_gaps(events) for events in history.values()),
            unanswered=sum(_unanswered(events) for events in history.values()),
            longest_gap_s=silence,
        )

    def _missing(self, history: dict[str, list[Seen]]) -> int:
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


def _doubled(events: list[Seen]) -> int:
    """Ids that stand under more than one sequence number."""
    places: dict[str, set[int]] = {}
    for event in events:
        for key in (event.client_msg_id and f"m:{event.client_msg_id}", event.turn_id and f"t:{event.turn_id}"):
            if key:
                places.setdefault(key, set()).add(event.seq)
        places.setdefault(f"id:{event.message_id}", set()).add(event.seq)
    repeats = Counter((event.seq, event.kind) for event in events)
    return sum(len(seqs) > 1 for key, seqs in places.items() if key != "id:") + sum(n > 1 for n in repeats.values())


def _back(events: list[Seen]) -> int:
    return sum(b.seq <= a.seq for a, b in pairwise(events))


def _gaps(events: list[Seen]) -> int:
    return sum(b.seq != a.seq + 1 for a, b in pairwise(events))


def _unanswered(events: list[Seen]) -> int:
    """Visitor messages after which nothing was said at all."""
    last_reply = max((e.seq for e in events if e.kind == "message_end"), default=0)
    return sum(e.kind == "message" and bool(e.client_msg_id) and e.seq > last_reply for e in events)
