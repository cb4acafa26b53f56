"""The port of a recommender of stickers, and the one that has none to offer."""

from dataclasses import dataclass
from typing import Protocol

from parley.core import TenantId

UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class RecommendedSticker:
    """One sticker, by the id of its picture."""

    media_id: str
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The best first, and by which method."""

    stickers: tuple[RecommendedSticker, ...] = ()
    method: str = UNAVAILABLE


class Recommender(Protocol):
    """Asked by RecommendStickers."""

    async def recommend(self, tenant: TenantId, text: str, limit: int) -> Recommendation:
        """At most `limit` stickers of this tenant that suit the text. Raises Unavailable."""
        ...


class NoStickers:
    """No index is configured."""

    async def recommend(self, tenant: TenantId, text: str, limit: int) -> Recommendation:
        """Nothing, and it says so."""
        return Recommendation()
