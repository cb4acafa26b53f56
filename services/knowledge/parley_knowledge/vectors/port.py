"""What dense retrieval is made of: who turns text into vectors, and where vectors are kept and searched."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from parley.core import Invalid


@dataclass(frozen=True, slots=True)
class Space:
    """Where vectors may be compared: those of one model and one dimension, never others."""

    model: str
    dimension: int

    def must_be(self, other: "Space", collection: str) -> None:
        """Raise Invalid where vectors of two models would be mixed."""
        if self != other:
            raise Invalid(
                f"{collection} holds vectors of {self.model} ({self.dimension} numbers), not of {other.model} "
                f"({other.dimension}); drop the collection, so that its passages are embedded anew"
            )


@dataclass(frozen=True, slots=True)
class Entry:
    """A passage's vector, normalised to a length of one. `facts` are what a search may filter by."""

    key: str
    vector: Sequence[float]
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Near:
    """A passage found, and the cosine of its vector with the question's."""

    key: str
    score: float


@dataclass(frozen=True, slots=True)
class Stats:
    """What a collection holds; `space` is None as long as it holds nothing."""

    count: int
    space: Space | None = None


MOVED_AT_ONCE: Final = 500


class VectorStore(Protocol):
    """Collections of vectors, one per tenant and language. All calls may block on a network; none retries.

    Raises Invalid where models would be mixed, Unavailable where the store does not answer.
    """

    async def upsert(self, collection: str, space: Space, entries: Sequence[Entry]) -> None:
        """Add vectors, or replace those of the same key."""
        ...

    async def delete(self, collection: str, keys: Collection[str]) -> None:
        """Forget these; unknown ones are no error."""
        ...

    async def drop(self, collection: str) -> None:
        """Forget the whole collection and its space; an unknown one is no error."""
        ...

    async def search(
        self, collection: str, space: Space, vector: Sequence[float], limit: int, *, facts: Mapping[str, str] | None
    ) -> list[Near]:
        """The nearest of those that have all these facts, nearest first; filtered before anything is scored."""
        ...

    async def snapshot(self, collection: str) -> list[Entry]:
        """All that a collection holds, by key: what a backup or another store needs."""
        ...

    async def keys(self, collection: str) -> set[str]:
        """The keys of all that a collection holds."""
        ...

    async def stats(self, collection: str) -> Stats:
        """How many vectors of which space."""
        ...


class Embedder(Protocol):
    """Turns text into vectors of one space."""

    async def passages(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """One normalised vector a text. Raises Unavailable."""
        ...

    async def question(self, text: str) -> Sequence[float]:
        """The normalised vector of a question. Raises Unavailable."""
        ...

    @property
    def model(self) -> str:
        """The name that its vectors are kept under."""
        ...


async def migrate(source: VectorStore, target: VectorStore, collection: str) -> int:
    """Copy a collection to another store and count there; the number of vectors. Raises Invalid when counts differ."""
    stats = await source.stats(collection)
    if stats.space is None:
        return 0
    entries = await source.snapshot(collection)
    for begin in range(0, len(entries), MOVED_AT_ONCE):
        await target.upsert(collection, stats.space, entries[begin : begin + MOVED_AT_ONCE])
    arrived = await target.stats(collection)
    if arrived.count != stats.count:
        raise Invalid(
            f"{collection}: {stats.count} vectors were sent, {arrived.count} arrived; drop it there and migrate again"
        )
    return arrived.count
