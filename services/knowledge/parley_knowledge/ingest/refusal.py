"""What could not be taken in, by name and with the reason; the rest goes on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One file or record that was left out."""

    name: str
    reason: str


class Refused(Exception):
    """Raised while a file is read; its text is the reason and says what to do."""
