"""The sessions of one shard in the owner's memory: loaded together, decided one after another, committed together."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import NamedTuple

from msgspec.structs import replace

from parley.bus import Event, Packed
from parley_session_router.machine import NEW, Decision, SessionState, recent
from parley_session_router.machine.codec import decode, encode
from parley_session_router.shards.outgoing import Parcel, Send, from_entry, sends_of, to_entries, without_superseded
from parley_session_router.store import (
    OutboxEntry,
    SessionCommit,
    SessionKey,
    SessionRecord,
    SessionStore,
    StreamEntry,
)

OUTBOX_IDS = 1 << 16  # ids that one version of a session may use


class Leaving(NamedTuple):
    """Events in order, and the versions that owe nothing more once these are confirmed."""

    sends: list[Parcel]
    versions: tuple[int, ...]


@dataclass(slots=True)
class Known:
    """A session in memory: its state, its version in the store, and what has not left yet."""

    state: SessionState
    version: int = 0
    unsent: dict[int, tuple[OutboxEntry, ...]] = field(default_factory=dict)  # by version: not known to be published
    again: list[Parcel] = field(default_factory=list)  # what its record owed when it was read; leaves first
    sends: list[Send] = field(default_factory=list)
    packed: list[Parcel] = field(default_factory=list)  # `sends` as the commit under way stores them
    owed: tuple[int, ...] = ()  # the versions whose events leave next
    entries: list[StreamEntry] = field(default_factory=list)
    touched: bool = False
    written: tuple[OutboxEntry, ...] = ()  # what the commit under way adds to the outbox
    stored_as: dict[str, int] = field(default_factory=dict)  # messages of this batch by id, however many: their seq

    def apply(self, decision: Decision, cause: str) -> None:
        """Take a step's decision; nothing is stored yet. Whoever only looks at a new session leaves no record of it."""
        self.sends.extend(sends_of(decision, cause=cause, version=self.version + 1))
        self.touched = self.touched or (decision.state is not self.state and decision.state.status != NEW)
        self.state = decision.state
        for entry in decision.entries:
            payload = entry.event.SerializeToString()
            stored = StreamEntry(
                entry.event.seq, entry.message_id, payload, decision.now, entry.dedup_key, outgoing=entry.outgoing
            )
            self.entries.append(stored)
            if entry.dedup_key is not None:
                self.stored_as[entry.message_id] = entry.event.seq

    def commit(self, shard: int, epoch: int, pack: Callable[[Event], Packed]) -> SessionCommit:
        """The one write that makes the decisions of a batch true. What earlier commits still owe stays owed."""
        state = self.state
        self.sends = without_superseded(self.sends, state)
        self.packed, self.written = to_entries(self.sends, (self.version + 1) * OUTBOX_IDS, pack)
        record = SessionRecord(
            tenant=state.tenant,
            session=state.session,
            shard=shard,
            version=self.version + 1,
            shard_epoch=epoch,
            state=encode(state),
            status=state.status,
            epoch=state.epoch,
            head_seq=state.head_seq,
            channel=state.channel,
            external_id=state.external_id,
            agent=state.agent.id if state.agent else "",
            opened_at=state.opened_at,
            changed_at=state.changed_at,
            waiting_since=state.waiting_since,
            due_at=state.due_at,
            pending=(*chain.from_iterable(self.unsent.values()), *self.written),
            recent_ids=state.recent_ids,
        )
        return SessionCommit(record, tuple(self.entries))

    def stored(self) -> None:
        """The commit is on disk: what it sends is owed from now on."""
        self.version += 1
        self.unsent[self.version] = self.written
        self.owed = (*self.owed, self.version)

    def leave(self) -> Leaving:
        """What leaves now."""
        leaving = Leaving([*self.again, *(self.packed or self.sends)], self.owed)
        self.again, self.sends, self.packed, self.owed = [], [], [], ()
        self.entries, self.written, self.touched = [], (), False
        self.stored_as = {}
        return leaving

    def sent(self, versions: Iterable[int]) -> bool:
        """The events of these versions are published; True when nothing at all is owed any more."""
        for version in versions:
            self.unsent.pop(version, None)
        return not self.unsent

    def remember(self, message_id: str, seq: int) -> None:
        """This message is stored already, further back than the state remembers."""
        self.stored_as[message_id] = seq

    def recall(self, message_id: str) -> None:
        """Let the state know of a repeat: one batch may hold many more of them than the state remembers."""
        seq = self.stored_as.get(message_id)
        if seq is not None and recent.seq_of(self.state.recent_ids, message_id) is None:
            self.state = replace(self.state, recent_ids=recent.add(self.state.recent_ids, message_id, seq))


class Cache:
    """The sessions that an owner has at hand."""

    def __init__(self, store: SessionStore, size: int, has_left: Callable[[SessionKey, int], bool]) -> None:
        """`has_left`: whether all that a version of a session owes is known to be published."""
        self._store = store
        self._size = size
        self._has_left = has_left
        self._known: OrderedDict[SessionKey, Known] = OrderedDict()

    def __contains__(self, key: SessionKey) -> bool:
        return key in self._known

    async def fetch(self, keys: Iterable[SessionKey]) -> dict[SessionKey, Known]:
        """These sessions; one that nobody has heard of is new. Raises Unavailable."""
        wanted = list(dict.fromkeys(keys))
        missing = [key for key in wanted if key not in self._known]
        records = await self._store.load(missing) if missing else {}
        for key in missing:
            record = records.get(key)
            self._known[key] = self._known_from(record) if record else Known(SessionState(key.tenant, key.session))
        for key in wanted:
            self._known.move_to_end(key)
        return {key: self._known[key] for key in wanted}

    def forget(self, key: SessionKey) -> None:
        """Read it anew next time."""
        self._known.pop(key, None)

    def _known_from(self, record: SessionRecord) -> Known:
        known = known_from(record)
        if record.pending and self._has_left(record.at, record.version):
            known.sent(known.leave().versions)
        return known

    def trim(self, keep: Callable[[SessionKey], bool]) -> None:
        """Let go of the sessions longest unused, but of none that still owes something."""
        excess = len(self._known) - self._size
        for key in list(islice(self._known, max(0, excess))):
            if not self._known[key].unsent and not keep(key):
                del self._known[key]


def known_from(record: SessionRecord) -> Known:
    """A session as the store has it. What its record owes leaves first, as if it had just been decided."""
    state = replace(decode(record.state, record.recent_ids), head_seq=record.head_seq, epoch=record.epoch)
    if not record.pending:
        return Known(state, record.version)
    again = [from_entry(entry) for entry in record.pending]
    return Known(state, record.version, {record.version: record.pending}, again, owed=(record.version,))
