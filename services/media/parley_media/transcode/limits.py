"""How much of a picture is taken, and how much is made of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Checked before the pixels they speak of are decoded."""

    pixels: int = 25_000_000  # of one frame; a 24 MP phone camera fits
    edge: int = 30_000  # pixels; a screenshot of a long chat fits
    frames: int = 300
    frames_pixels: int = 40_000_000  # of all frames together
    result_bytes: int = 5 * 1024 * 1024  # of one rendition


LIMITS = Limits()
