"""Ground floor: ids, time, errors, settings, redaction. Standard library and pydantic only."""

from parley.core.clock import Clock, SystemClock
from parley.core.errors import (
    BusUnavailable,
    Conflict,
    Invalid,
    Later,
    NotFound,
    ParleyError,
    Reject,
    SettingsError,
    Unavailable,
    Unroutable,
)
from parley.core.ids import EventId, MessageId, SessionId, TenantId, TurnId, new_id, new_replica_id, shard_of
from parley.core.redact import redact
from parley.core.settings import Settings

__all__ = [
    "BusUnavailable",
    "Clock",
    "Conflict",
    "EventId",
    "Invalid",
    "Later",
    "MessageId",
    "NotFound",
    "ParleyError",
    "Reject",
    "SessionId",
    "Settings",
    "SettingsError",
    "SystemClock",
    "TenantId",
    "TurnId",
    "Unavailable",
    "Unroutable",
    "new_id",
    "new_replica_id",
    "redact",
    "shard_of",
]
