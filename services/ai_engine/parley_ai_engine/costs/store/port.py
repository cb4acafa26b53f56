"""What the books of a desk must be able to do."""

from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Protocol

from parley_ai_engine.admission.prices import Tariff
from parley_ai_engine.costs.usage import Usage

# What sums can be asked by, and the column that holds it.
BY: Final = MappingProxyType({
    "conversation": "session_id",
    "contact": "contact_id",
    "channel": "channel",
    "model": "model",
    "day": "day",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class CostQuery:
    """Which records, and by what they are summed; `tenant` is empty for all tenants. Times are unix seconds."""

    tenant: str
    by: str = "day"
    since: float = 0.0
    until: float = 1e12
    only: tuple[tuple[str, str], ...] = ()  # (one of BY, its value)


@dataclass(frozen=True, slots=True)
class CostSum:
    """All records of one key with the same prices, so that money is multiplied once and never rounded."""

    key: str
    price: Tariff | None
    instead: Tariff | None
    saved_by: str
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    estimated: int
    used: int  # calls that used any tokens


class CostStore(Protocol):
    """Written by the one that hears `UsageRecorded`, read by `parley cost` and, once for each, by budgets."""

    async def add(self, usage: Usage) -> None:
        """Keep one record; a repeat changes nothing. Raises Unavailable."""
        ...

    async def sums(self, query: CostQuery) -> list[CostSum]:
        """Sums by key and price, in no order. Raises Unavailable."""
        ...


def row_of(usage: Usage) -> dict[str, str | int | float]:
    """A record's columns, the same in every store."""
    payer = usage.payer
    return {
        "usage_id": usage.usage_id,
        "tenant_id": payer.tenant,
        "at": usage.at,
        "day": day_of(usage.at),
        "session_id": payer.session,
        "turn_id": payer.turn,
        "channel": payer.channel,
        "contact_id": payer.contact,
        "model": usage.model,
        "level": usage.level,
        "outcome": usage.outcome,
        "attempt": usage.attempt,
        "input_tokens": usage.input_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "estimated": int(usage.estimated),
        "used": int(usage.input_tokens + usage.output_tokens > 0),
        "price": str(usage.price or ""),
        "instead": str(usage.instead or ""),
        "saved_by": usage.saved_by,
        "first_ms": usage.first_ms,
        "total_ms": usage.total_ms,
    }


def day_of(at: float) -> str:
    """The day of a time, in UTC."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def read_tariff(text: str) -> Tariff | None:
    """A price as a row has it."""
    return Tariff.read(text) if text else None
