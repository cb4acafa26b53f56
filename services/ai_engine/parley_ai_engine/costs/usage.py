"""One call to a model as the books have it: who asked, what was used, at which price, and what was saved."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from parley.contracts.v1 import EventMeta, TokenPrice, UsageRecorded
from parley_ai_engine.admission.prices import Tariff

SPARED: Final = frozenset({"cache", "single_flight"})  # what saves a call as a whole


@dataclass(frozen=True, slots=True)
class Payer:
    """For whom a call is made. The turn is empty for a draft."""

    tenant: str
    session: str = ""
    turn: str = ""
    channel: str = ""
    contact: str = ""


NOBODY: Final = Payer("")


@dataclass(frozen=True, slots=True)
class Usage:
    """One call, or one that was spared. Tokens of a spared call are those that it would have used.

    `at` is when it ended, in unix seconds. `price` is what was paid, `instead` what would have been paid without what
    `saved_by` names.
    """

    usage_id: str
    payer: Payer
    model: str
    at: float
    level: str = "main"
    outcome: str = "answered"
    attempt: int = 1
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    price: Tariff | None = None
    instead: Tariff | None = None
    saved_by: str = ""
    first_ms: int = 0
    total_ms: int = 0

    def event(self) -> UsageRecorded:
        """As it travels."""
        payer = self.payer
        event = UsageRecorded(
            meta=EventMeta(tenant_id=payer.tenant, session_id=payer.session),
            usage_id=self.usage_id,
            turn_id=payer.turn,
            channel=payer.channel,
            contact_id=payer.contact,
            model=self.model,
            level=self.level,
            outcome=self.outcome,
            attempt=self.attempt,
            input_tokens=self.input_tokens,
            cached_tokens=self.cached_tokens,
            output_tokens=self.output_tokens,
            estimated=self.estimated,
            saved_by=self.saved_by,
            first_ms=self.first_ms,
            total_ms=self.total_ms,
            price=_wire(self.price),
            instead=_wire(self.instead),
        )
        event.at.FromMilliseconds(round(self.at * 1000))
        return event

    @staticmethod
    def from_event(event: UsageRecorded) -> "Usage":
        """As it is kept. Raises ValueError for prices that are no numbers."""
        return Usage(
            event.usage_id,
            Payer(event.meta.tenant_id, event.meta.session_id, event.turn_id, event.channel, event.contact_id),
            event.model,
            event.at.seconds + event.at.nanos / 1e9,
            level=event.level,
            outcome=event.outcome,
            attempt=event.attempt,
            input_tokens=event.input_tokens,
            cached_tokens=event.cached_tokens,
            output_tokens=event.output_tokens,
            estimated=event.estimated,
            price=_tariff(event.price) if event.HasField("price") else None,
            instead=_tariff(event.instead) if event.HasField("instead") else None,
            saved_by=event.saved_by,
            first_ms=event.first_ms,
            total_ms=event.total_ms,
        )

    def cost(self) -> Decimal:
        """What was paid; 0 where no price is known, and for what was spared."""
        if self.price is None or self.saved_by in SPARED:
            return Decimal(0)
        return self.price.of(self.input_tokens, self.cached_tokens, self.output_tokens)


def _wire(tariff: Tariff | None) -> TokenPrice | None:
    if tariff is None:
        return None
    return TokenPrice(
        input=f"{tariff.input:f}", cached=f"{tariff.cached:f}", output=f"{tariff.output:f}", currency=tariff.currency
    )


def _tariff(price: TokenPrice) -> Tariff:
    return Tariff.read(f"{price.input} {price.cached} {price.output} {price.currency}")


def explained(calls: Iterable[Usage]) -> dict[str, str]:
    """A turn's calls in the words of its explanation: `tokens`, `cost`, and `cost_source`."""
    used = [call for call in calls if call.saved_by not in SPARED and (call.input_tokens or call.output_tokens)]
    if not used:
        return {}
    columns = ((call.input_tokens, call.cached_tokens, call.output_tokens) for call in used)
    tokens = [sum(column) for column in zip(*columns, strict=True)]
    told = {"tokens": "{} in, {} of these cached, {} out".format(*tokens)}
    told["cost_source"] = "estimated" if any(call.estimated for call in used) else "reported"
    if all(call.price is not None for call in used):
        sums: dict[str, Decimal] = {}
        for call in used:
            currency = call.price.currency if call.price else ""
            sums[currency] = sums.get(currency, Decimal(0)) + call.cost()
        told["cost"] = ", ".join(f"{amount:f} {currency}" for currency, amount in sorted(sums.items()))
    return told
