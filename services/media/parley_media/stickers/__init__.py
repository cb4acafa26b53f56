"""Which stickers answer a text. There is no index of stickers yet, and an empty answer says so."""

from parley_media.stickers.port import NoStickers, Recommendation, RecommendedSticker, Recommender

__all__ = ["NoStickers", "Recommendation", "RecommendedSticker", "Recommender"]
