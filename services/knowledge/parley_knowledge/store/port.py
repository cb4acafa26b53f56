"""What knowledge needs of a database. Every call names its tenant and may wait for the disk or the network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from parley_knowledge.documents import Chunk, Record
from parley_knowledge.releases import Proposal, Release, State, Wanted


@dataclass(frozen=True, slots=True)
class Kept:
    """A version of a document with its passages, as it is stored."""

    record: Record
    chunks: Sequence[Chunk]


class DocumentStore(Protocol):
    """Contents by their hash, and the log of releases that says which are live.

    All calls raise Unavailable while the database does not answer.
    """

    async def heads(self) -> Mapping[str, int]:
        """The number of each tenant's last release: cheap, for whoever watches for changes."""
        ...

    async def releases(self, tenant: str, after: int) -> list[Release]:
        """Those numbered above `after`, in order; without gaps."""
        ...

    async def keep(self, kept: Sequence[Kept]) -> None:
        """Store contents that nobody sees yet; what is there already stays. All of one tenant."""
        ...

    async def publish(self, release: Release, kept: Sequence[Kept] = ()) -> None:
        """Store contents, then make the release live at once and whole. Raises Conflict when its number is taken."""
        ...

    async def records(self, tenant: str, chunk_sets: Sequence[str]) -> Mapping[str, Record]:
        """Contents without passages, by their names; `version` is 0, since releases number them."""
        ...

    async def chunks(self, tenant: str, chunk_sets: Sequence[str]) -> Mapping[str, list[Chunk]]:
        """The passages of these contents, in order."""
        ...

    async def open_proposal(self, proposal: Proposal) -> None:
        """Begin a draft."""
        ...

    async def propose(self, tenant: str, proposal_id: str, wanted: Wanted) -> None:
        """Add to a draft what should become of one document; the last word on a document counts."""
        ...

    async def proposals(self, tenant: str) -> list[Proposal]:
        """All of them, the latest first."""
        ...

    async def proposal(self, tenant: str, proposal_id: str) -> Proposal | None:
        """One of them."""
        ...

    async def proposed(self, tenant: str, proposal_id: str) -> list[Wanted]:
        """What a draft holds, in the order of uris."""
        ...

    async def move(self, proposal: Proposal, state: State, number: int = 0) -> bool:
        """Bring a proposal into another state; False when it is not any more in the one that we think."""
        ...
