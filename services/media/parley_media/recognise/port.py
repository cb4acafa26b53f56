"""The port of a recogniser, and the one that knows nothing."""

from dataclasses import dataclass
from typing import Protocol

UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was seen, and by which method."""

    description: str = ""
    text: str = ""
    method: str = UNAVAILABLE


class Recogniser(Protocol):
    """Asked by Analyze, with a picture of our own encoding. May take its time; bounds itself."""

    async def recognise(self, content: bytes) -> Recognition:
        """Say what the picture shows. Raises Unavailable."""
        ...


class NoRecogniser:
    """None is configured."""

    async def recognise(self, content: bytes) -> Recognition:
        """Nothing, and it says so."""
        return Recognition()
