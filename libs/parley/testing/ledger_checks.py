"""What can be wrong with one session's events, each counted by a function of its own."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol


class Entry(Protocol):
    """What is looked at of an event; `parley.testing.ledger.Seen` is one."""

    seq: int
    kind: str
    message_id: str
    client_msg_id: str
    turn_id: str
    finish: str


def is_answer(event: Entry) -> bool:
    """Whether something was said at the end of a turn; a cancelled one only ends its preview."""
    return event.kind == "message_end" and event.finish != "cancelled"


def hands_over(event: Entry) -> bool:
    """Whether a person has the conversation from here: the other outcome that a turn may have."""
    return event.kind == "session" and event.finish in ("waiting", "assigned")


def waits_for_a_person(events: Sequence[Entry]) -> bool:
    """Whether it is a person's turn at the end."""
    statuses = [event for event in events if event.kind == "session"]
    return bool(statuses) and hands_over(statuses[-1])


def doubled(events: Sequence[Entry]) -> int:
    """Ids that stand under more than one sequence number, and events that came more than once."""
    places: dict[str, set[int]] = {}
    for event in events:
        for key in _names(event):
            places.setdefault(key, set()).add(event.seq)
    repeats = Counter((event.seq, event.kind) for event in events)
    return sum(len(seqs) > 1 for seqs in places.values()) + sum(n > 1 for n in repeats.values())


def backwards(events: Sequence[Entry]) -> int:
    """Places where the sequence goes back."""
    return sum(b.seq < a.seq for a, b in pairwise(events))


def gaps(events: Sequence[Entry]) -> int:
    """Places where the sequence leaves something out."""
    return sum(b.seq > a.seq + 1 for a, b in pairwise(events)) + bool(events and events[0].seq > 1)


def replies(events: Sequence[Entry]) -> int:
    """Final answers."""
    return sum(map(is_answer, events))


def unanswered(events: Sequence[Entry]) -> int:
    """Visitor messages after which nothing was said at all, and no person has been called."""
    if waits_for_a_person(events):
        return 0
    last_reply = max((e.seq for e in events if is_answer(e)), default=0)
    return sum(e.kind == "message" and bool(e.client_msg_id) and e.seq > last_reply for e in events)


def turns_answered_twice(events: Sequence[Entry]) -> int:
    """Turns with more than one outcome in the stream."""
    outcomes = Counter(e.turn_id for e in events if is_answer(e) and e.turn_id)
    return sum(n > 1 for n in outcomes.values())


def _names(event: Entry) -> list[str]:
    """The ids that may stand in one place only. A turn's id stands with its answer, and with its notice."""
    found = [f"message {event.message_id}" if event.message_id else ""]
    found.append(f"client {event.client_msg_id}" if event.client_msg_id else "")
    found.append(f"turn {event.turn_id}" if event.turn_id and is_answer(event) else "")
    return [name for name in found if name]
