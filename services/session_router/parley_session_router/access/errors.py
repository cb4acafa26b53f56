"""Ways to be turned away at the door."""

from parley.core import ParleyError


class Unauthenticated(ParleyError):
    """Nobody we know: the key is unknown, malformed, revoked or expired."""


class PermissionDenied(ParleyError):
    """Known, but not allowed to do this from here."""
