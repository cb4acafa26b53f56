"""What every door of this gateway shares."""

from dataclasses import dataclass
from typing import Any

from parley.contracts.v1 import SessionsAsyncStub
from parley.service import Context
from parley.telemetry import Log
from parley_gateway.access import Access
from parley_gateway.inbox import Inbox
from parley_gateway.limits import RateLimit
from parley_gateway.media import MediaDesk
from parley_gateway.realtime.streams import Streams
from parley_gateway.settings import GatewaySettings


@dataclass(frozen=True)
class Desk:
    """Questions to the other services, and what is remembered here."""

    ctx: Context[Any]
    settings: GatewaySettings
    streams: Streams
    inbox: Inbox
    access: Access
    sessions: SessionsAsyncStub
    media: MediaDesk
    rates: RateLimit  # messages, by who writes them
    newcomers: RateLimit  # new tokens, by address
    arrivals: RateLimit  # connections, by address
    tenants: RateLimit  # messages, by tenant
    log: Log
