"""The session-router's store, as the router sees it. Adapters: `sqlite`, `mongo`; `open_store` chooses by URL.

Every call may wait for the disk or the network, never longer than ten seconds, and raises Unavailable when the
database does not answer. After an Unavailable commit the outcome is unknown: load the sessions again.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from parley_session_router.store.records import (
    History,
    OutgoingEntry,
    SentMark,
    SessionCommit,
    SessionKey,
    SessionPage,
    SessionRecord,
    StoredMessage,
)


class Shards(Protocol):
    """Who may write. Called by the owner of a shard when it becomes active."""

    async def check_shards(self, shards: int) -> None:
        """The first start stores the number of shards; later ones raise SettingsError when theirs differs."""
        ...

    async def claim_shard(self, shard: int) -> int:
        """Raise the shard's epoch by one and return it; writes with an older one are refused from then on."""
        ...


class Sessions(Protocol):
    """What the owner of a shard reads and writes on every turn."""

    async def load(self, keys: Sequence[SessionKey]) -> dict[SessionKey, SessionRecord]:
        """The stored sessions among `keys`."""
        ...

    async def commit(self, batch: Sequence[SessionCommit]) -> list[bool]:
        """Store each decision in one write of its own, the batch in one go; at most one commit per session.

        False: not stored, since somebody else was first: the version has moved on, a newer owner has written,
        the visitor has another session, or a dedup key is already known. Load again and look for duplicates.
        Entries must go on gapless from the previous head_seq.
        """
        ...

    async def find_duplicates(self, key: SessionKey, dedup_keys: Sequence[str]) -> Mapping[str, StoredMessage]:
        """Which of these messages this tenant has already stored, ever, in any session.

        Needed only when `commit` has said False: it refuses known keys by itself, however many come at once. While
        another session's commit of the same message is under way this waits for it, two seconds at most.
        """
        ...

    async def clear_outbox(self, sent: Sequence[SentMark]) -> None:
        """Forget published entries, unless a newer version has replaced them. Lazy: losing a mark costs a repeat."""
        ...


class Leftovers(Protocol):
    """What a predecessor left: asked by who takes over a shard, then by its timer."""

    async def pending(self, shard: int, limit: int = 500) -> list[SessionRecord]:
        """Sessions with events that may not have been published."""
        ...

    async def due(self, shard: int, now: float, limit: int = 500) -> list[SessionRecord]:
        """Sessions whose `due_at` has come, longest due first."""
        ...

    async def next_due(self, shard: int) -> float | None:
        """The earliest `due_at` of the shard."""
        ...

    async def waiting(self, shard: int) -> int:
        """How many of the shard's sessions wait for a person; asked every few seconds, so by an index."""
        ...

    async def copy_tails(self, shard: int | None = None) -> int:
        """Finish what commits and `clear_outbox` left to do; returns how many sessions had entries to copy.

        Adapters do it by themselves within about a second; a new owner calls it with its shard for what its
        predecessor left.
        """
        ...


class Questions(Protocol):
    """What people and channel adapters ask. Any replica may answer."""

    async def history(
        self, key: SessionKey, *, after_seq: int = 0, limit: int = 100, before_seq: int | None = None
    ) -> History | None:
        """Entries after a position, or the last ones before `before_seq`; None when there is no such session."""
        ...

    async def list_sessions(self, tenant: str, *, status: str = "", after: str = "", limit: int = 100) -> SessionPage:
        """Sessions of a status (all when empty), longest waiting first; those that do not wait by when they opened.

        `after` is a page's `next`.

        Raises Invalid when `after` is not one of ours.
        """
        ...

    async def resolve(self, tenant: str, channel: str, external_id: str) -> str | None:
        """The session of a channel's visitor."""
        ...

    async def channel_outbox(
        self, tenant: str, channel: str, *, cursor: str = "", limit: int = 100
    ) -> list[OutgoingEntry]:
        """Outgoing entries of a channel behind `cursor`, in one order for ever. Raises Invalid for a strange cursor."""
        ...

    async def ping(self) -> None:
        """Raises Unavailable when the database does not answer."""
        ...


class SessionStore(Shards, Sessions, Leftovers, Questions, Protocol):
    """All of it."""
