"""What an operator may set for the session-router."""

from pydantic import Field

from parley.core import Settings


class RouterSettings(Settings):
    """Read from `PARLEY_SESSION_…`."""

    prefix = "PARLEY_SESSION_"

    turn_seconds: float = Field(45, gt=0, le=600, description="seconds until a turn without an answer goes to a person")
    idle_seconds: float = Field(600, gt=0, description="seconds of silence until a conversation is closed")
    cached_sessions: int = Field(8000, ge=16, description="sessions that one router keeps at hand, over all its shards")
    engine_group: str = Field("default", pattern="^[a-z][a-z0-9_-]{0,31}$", description="the engine group that answers")
