"""What knowledge needs of a database. Every call names its tenant and may wait for the disk or the network."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from parley_knowledge.documents import Chunk, Record


class DocumentStore(Protocol):
    """Documents with their passages. All calls raise Unavailable while the database does not answer."""

    async def find(self, tenant: str, document_id: str) -> Record | None:
        """A document, also when it has been removed."""
        ...

    async def all(self, tenant: str) -> list[Record]:
        """Every document that is not removed."""
        ...

    async def page(self, tenant: str, after: str, limit: int) -> list[Record]:
        """Those whose uri comes after `after`, in the order of their uris."""
        ...

    async def publish(self, record: Record, chunks: Sequence[Chunk], *, replaces: Record | None) -> None:
        """Make a version live at once and whole; its passages are never seen without it nor it without them.

        Raises Conflict when `replaces` is no longer what stands there. The replaced passages are deleted.
        """
        ...

    async def chunks(self, tenant: str, chunk_sets: Sequence[str]) -> Mapping[str, list[Chunk]]:
        """The passages of these versions; a set that was replaced meanwhile is missing."""
        ...

    async def revisions(self) -> Mapping[str, int]:
        """How often each tenant's knowledge has changed: cheap, for whoever watches for changes."""
        ...
