"""The sessions of one shard in the owner's memory: loaded together, decided one after another, committed together."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from parley.bus import Event, Route
from parley_session_router.machine import Decision, SessionState
from parley_session_router.machine.codec import decode, encode
from parley_session_router.shards.outgoing import Leaving, to_entries
from parley_session_router.store import (
    RECENT_IDS,
    RecentId,
    SessionCommit,
    SessionKey,
    SessionRecord,
    SessionStore,
    StreamEntry,
)

CACHED = 5000  # sessions of one shard


@dataclass(slots=True)
class Known:
    """A session in memory: its state, and what its record says of versions and unsent events."""

    state: SessionState
    version: int = 0
    next_outbox: int = 1
    leaving: Leaving = field(default_factory=Leaving)
    entries: list[StreamEntry] = field(default_factory=list)
    touched: bool = False

    def apply(self, decision: Decision, *, cause: str, traceparent: str) -> None:
        """Take a step's decision; nothing is stored yet."""
        self.touched = self.touched or decision.state is not self.state
        self.state = decision.state
        self.leaving.add(decision, cause=cause, traceparent=traceparent)
        for entry in decision.entries:
            payload = entry.event.SerializeToString()
            stored = StreamEntry(
                entry.event.seq, entry.message_id, payload, decision.now, entry.dedup_key, outgoing=entry.outgoing
            )
            self.entries.append(stored)

    def take_sends(self, *, stored: bool) -> list[tuple[Route, Event]]:
        """What leaves now; `stored` when the decisions have been written."""
        sends = self.leaving.sends
        if stored:
            self.version += 1
            self.next_outbox += len(sends)
        self.leaving, self.entries, self.touched = Leaving(), [], False
        return sends

    def remember(self, recent: tuple[str, str, int]) -> None:
        """This message is stored already, further back than the state remembers."""
        self.state = replace(self.state, recent_ids=(*self.state.recent_ids, recent)[-RECENT_IDS:])


class Cache:
    """The sessions that an owner has at hand."""

    def __init__(self, store: SessionStore, shard: int) -> None:
        self._store = store
        self._shard = shard
        self._known: OrderedDict[SessionKey, Known] = OrderedDict()

    async def fetch(self, keys: Sequence[SessionKey]) -> dict[SessionKey, Known]:
        """These sessions; one that nobody has heard of is new."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        records = await self._store.load(missing) if missing else {}
        for key in missing:
            record = records.get(key)
            self._known[key] = known_from(record) if record else Known(SessionState(key.tenant, key.session))
        for key in keys:
            self._known.move_to_end(key)
        return {key: self._known[key] for key in keys}

    def forget(self, key: SessionKey) -> None:
        """Read it anew next time."""
        self._known.pop(key, None)

    def trim(self) -> None:
        """Let go of the sessions longest unused."""
        while len(self._known) > CACHED:
            self._known.popitem(last=False)

    def commit_of(self, known: Known, epoch: int) -> SessionCommit:
        """The one write that makes the decisions of a batch true."""
        state = known.state
        pending = to_entries(known.leaving.sends, known.next_outbox)
        record = SessionRecord(
            tenant=state.tenant,
            session=state.session,
            shard=self._shard,
            version=known.version + 1,
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
            pending=pending,
            recent_ids=tuple(RecentId(*known_id) for known_id in state.recent_ids),
        )
        return SessionCommit(record, tuple(known.entries))


def known_from(record: SessionRecord) -> Known:
    """A session as the store has it."""
    last = record.pending[-1].id if record.pending else 0
    recent = tuple((known.dedup_key, known.message_id, known.seq) for known in record.recent_ids)
    state = replace(decode(record.state, recent), head_seq=record.head_seq, epoch=record.epoch)
    return Known(state, record.version, max(last + 1, record.version * 8))
