"""Kinds of failure. What is raised says what the caller can do about it."""


class ParleyError(Exception):
    """Every error of ours. Its text is for the person who reads it and says what to do."""


class SettingsError(ParleyError):
    """A setting is missing or malformed; the text tells what to type."""


class Invalid(ParleyError):
    """The input itself is wrong; sending it again changes nothing."""


class NotFound(ParleyError):
    """There is no such thing for this tenant."""


class Conflict(ParleyError):
    """The thing has moved on: somebody else was first."""


class Unavailable(ParleyError):
    """A part that is needed does not answer now; the same call may succeed later."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BusUnavailable(Unavailable):
    """The broker did not confirm in time: the outcome is unknown, so send the same event again."""


class Unroutable(ParleyError):
    """No queue took the event: its reader does not exist (any more)."""


class Later(ParleyError):
    """A handler's word: try this event again after `after` seconds. Counted as an attempt."""

    def __init__(self, reason: str = "", *, after: float = 1.0) -> None:
        super().__init__(reason)
        self.after = after


class Reject(ParleyError):
    """A handler's word: this event can never be handled; park it now with this reason."""
