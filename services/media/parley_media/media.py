"""The nouns of this service: an upload as it comes, and a picture as it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from parley.core import SessionId, TenantId


@dataclass(frozen=True, slots=True)
class Upload:
    """What a client sends; nothing of it is believed yet."""

    tenant: TenantId
    session: SessionId
    file_name: str
    declared_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Rendition:
    """One stored encoding of a picture."""

    mime_type: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Media:
    """A stored picture. The last rendition is the one that every client and channel can show; WebP comes first."""

    media_id: str
    tenant: TenantId
    session: SessionId
    name: str  # what its sender called it, cleaned
    width: int  # pixels, upright
    height: int
    frames: int
    stored_at: float  # unix seconds
    renditions: tuple[Rendition, ...]

    @property
    def master(self) -> Rendition:
        """The rendition for whoever names no type."""
        return self.renditions[-1]

    def rendition_for(self, accepted: Sequence[str]) -> Rendition:
        """The first rendition whose type is named in `accepted`, else the master. Wildcards prove nothing."""
        named = {mime_type.strip().lower() for mime_type in accepted}
        return next((found for found in self.renditions if found.mime_type in named), self.master)
