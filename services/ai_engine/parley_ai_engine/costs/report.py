"""Sums as lines that a person reads: money exactly, by currency, and what was saved. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from parley.contracts.v1 import CostLine, CostsResponse, Money, Saving
from parley_ai_engine.admission.prices import Tariff
from parley_ai_engine.costs.store.port import CostSum
from parley_ai_engine.costs.usage import SPARED

Amounts = defaultdict[str, Decimal]  # by currency


@dataclass
class _Line:
    calls: int = 0
    tokens: list[int] = field(default_factory=lambda: [0, 0, 0])
    estimated: int = 0
    unpriced: int = 0
    paid: Amounts = field(default_factory=lambda: defaultdict(Decimal))
    saved_calls: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    saved: dict[str, Amounts] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Decimal)))

    def add(self, one: CostSum) -> None:
        """One more sum of this key."""
        spared = one.saved_by in SPARED
        if not spared:
            self.calls += one.calls
            self.estimated += one.estimated
            for place, tokens in enumerate((one.input_tokens, one.cached_tokens, one.output_tokens)):
                self.tokens[place] += tokens
        self._account(one, spared=spared)

    def _account(self, one: CostSum, *, spared: bool) -> None:
        paid = Decimal(0) if spared else _amount(one, one.price)
        if not spared and one.price is not None:
            self.paid[one.price.currency] += paid
        elif not spared:
            self.unpriced += one.used
        if one.saved_by:
            self.saved_calls[one.saved_by] += one.calls
            if one.instead is not None:
                self.saved[one.saved_by][one.instead.currency] += _amount(one, one.instead) - paid

    def wire(self, key: str) -> CostLine:
        """As it is answered."""
        return CostLine(
            key=key,
            calls=self.calls,
            input_tokens=self.tokens[0],
            cached_tokens=self.tokens[1],
            output_tokens=self.tokens[2],
            estimated_calls=self.estimated,
            unpriced_calls=self.unpriced,
            amounts=_money(self.paid),
            saved=[
                Saving(by=by, calls=calls, amounts=_money(self.saved[by]))
                for by, calls in sorted(self.saved_calls.items())
            ],
        )


def report(sums: Iterable[CostSum], *, newest_first: bool, limit: int) -> CostsResponse:
    """The lines, the dearest first, or by their keys from the last one; the total is of all of them."""
    lines: defaultdict[str, _Line] = defaultdict(_Line)
    total = _Line()
    for one in sums:
        lines[one.key].add(one)
        total.add(one)

    def dearest(key: str) -> tuple[Decimal, int, str]:
        line = lines[key]
        return sum(line.paid.values(), Decimal(0)), sum(line.tokens), key

    keys = sorted(lines, reverse=True) if newest_first else sorted(lines, key=dearest, reverse=True)
    return CostsResponse(lines=[lines[key].wire(key) for key in keys[:limit]], total=total.wire(""))


def _amount(one: CostSum, tariff: Tariff | None) -> Decimal:
    return tariff.of(one.input_tokens, one.cached_tokens, one.output_tokens) if tariff else Decimal(0)


def _money(amounts: Amounts) -> list[Money]:
    return [Money(amount=f"{amount:f}", currency=currency) for currency, amount in sorted(amounts.items())]
