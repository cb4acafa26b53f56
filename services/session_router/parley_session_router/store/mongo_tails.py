"""What this process knows of session documents: the entries that are still in them, and what may be cleared. No I/O."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from parley_session_router.store.records import SessionCommit, SessionKey, StreamEntry

REMEMBERED = 20_000  # sessions whose tail is known without asking


@dataclass(slots=True)
class Tail:
    """A session's tail at a version; `entries` by seq."""

    version: int
    shard_epoch: int
    channel: str
    recipient: str
    entries: dict[int, StreamEntry] = field(default_factory=dict)


@dataclass(slots=True)
class Settled:
    """What of a version's document is of no more use."""

    version: int
    copied: bool = False  # its tail
    sent: bool = False  # its pending entries


class Tails:
    """A commit replaces the whole tail, so it must know it; a copy may clear it only at the version that it knows.

    `known` is what the document holds beyond what was surely copied; `waiting` is what a copier has still to take.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[SessionKey, Tail] = OrderedDict()
        self._waiting: dict[SessionKey, Tail] = {}
        self._settled: dict[SessionKey, Settled] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def known(self, key: SessionKey) -> Tail | None:
        """The tail as this process saw it last."""
        return self._known.get(key)

    def is_known(self, commit: SessionCommit) -> bool:
        """Whether what this commit builds on needs no reading."""
        tail = self._known.get(commit.record.at)
        return commit.record.version == 1 or (tail is not None and tail.version == commit.record.version - 1)

    def may_follow(self, commit: SessionCommit) -> bool:
        """Whether its owner is not older than the one who wrote the version that it builds on.

        That version is what the write itself compares, so what is known of it still holds when the write succeeds.
        """
        tail = self._known.get(commit.record.at)
        return commit.record.version == 1 or (tail is not None and tail.shard_epoch <= commit.record.shard_epoch)

    def learn(self, key: SessionKey, tail: Tail) -> None:
        """A document was read: what it still holds must be copied, whoever wrote it."""
        self._remember(key, tail)
        if tail.entries:
            self._enqueue(key, tail)

    def after(self, commit: SessionCommit) -> Tail:
        """The tail that the document has once this commit is stored."""
        record = commit.record
        before = self._known.get(record.at)
        entries = dict(before.entries) if before and record.version > 1 else {}
        entries.update({entry.seq: entry for entry in commit.entries})
        return Tail(record.version, record.shard_epoch, record.channel, record.external_id, entries)

    def committed(self, key: SessionKey, tail: Tail) -> None:
        """`after`'s answer has been stored."""
        self._remember(key, tail)
        if tail.entries:
            self._enqueue(key, tail)

    def forget(self, keys: Iterable[SessionKey]) -> None:
        """Somebody else may have written: read before the next commit."""
        for key in keys:
            self._known.pop(key, None)

    def take(self) -> dict[SessionKey, Tail]:
        """Everything that waits to be copied; give it to `copied` or `put_back`."""
        taken, self._waiting = self._waiting, {}
        return taken

    def copied(self, taken: dict[SessionKey, Tail]) -> None:
        """These entries are in `messages` for good."""
        for key, tail in taken.items():
            self.settle(key, tail.version, copied=True)
            for holder in (self._known.get(key), self._waiting.get(key)):
                if holder is not None:
                    for seq in tail.entries:
                        holder.entries.pop(seq, None)

    def put_back(self, taken: dict[SessionKey, Tail]) -> None:
        """They could not be copied now."""
        for key, tail in taken.items():
            self._enqueue(key, tail)

    def settle(self, key: SessionKey, version: int, *, copied: bool = False, sent: bool = False) -> None:
        """Note that this version's document may be cleared, some time."""
        mark = self._settled.get(key)
        if mark is None or mark.version < version:
            mark = self._settled[key] = Settled(version)
        if mark.version == version:
            mark.copied |= copied
            mark.sent |= sent

    @property
    def settled(self) -> int:
        """How many documents may be cleared."""
        return len(self._settled)

    def take_settled(self) -> dict[SessionKey, Settled]:
        """What is worth clearing: a version that has been replaced took its leavings with it."""
        taken, self._settled = self._settled, {}
        return {key: mark for key, mark in taken.items() if not self._replaced(key, mark.version)}

    def _replaced(self, key: SessionKey, version: int) -> bool:
        known = self._known.get(key)
        return known is not None and known.version > version

    def _remember(self, key: SessionKey, tail: Tail) -> None:
        self._known[key] = replace(tail, entries=dict(tail.entries))
        self._known.move_to_end(key)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _enqueue(self, key: SessionKey, tail: Tail) -> None:
        before = self._waiting.get(key)
        entries = {**before.entries, **tail.entries} if before else dict(tail.entries)
        if before is not None and before.version > tail.version:
            tail = before
        self._waiting[key] = replace(tail, entries=entries)
