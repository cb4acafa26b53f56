"""What calls cost: prices are dated data of the operator's, since no price list stays true."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parley.core import SettingsError

MILLION: Final = Decimal(1_000_000)


class Price(BaseModel):
    """Of a million tokens, from a day on, for models whose name fits. Cached ones cost as others by default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1)
    since: date
    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)
    cached: Decimal | None = Field(None, ge=0)
    currency: str = Field(pattern="^[A-Z]{3}$")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prices: list[Price]


@dataclass(frozen=True, slots=True)
class Spent:
    """One call. `estimated` when the vendor told no usage: the answer broke off, or it never tells."""

    model: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    estimated: bool = False
    amount: Decimal | None = None
    currency: str = ""


def read_prices(path: Path) -> list[Price]:
    """The prices of a file. Raises SettingsError that names the place to mend."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _File.model_validate(content).prices
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f'PARLEY_AI_ENGINE_PRICES is "{path}", which cannot be read: {error}') from error
    except ValidationError as error:
        told = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise SettingsError(f'PARLEY_AI_ENGINE_PRICES is "{path}"; mend {"; ".join(told)}') from None


def priced(spent: Spent, prices: Sequence[Price], now: float) -> Spent:
    """With its amount by the newest price that holds at `now` (unix seconds); without one where there is no price."""
    today = datetime.fromtimestamp(now, UTC).date()
    fitting = [price for price in prices if price.since <= today and fnmatchcase(spent.model, price.model)]
    if not fitting:
        return spent
    price = max(fitting, key=lambda one: one.since)
    cached = price.input if price.cached is None else price.cached
    amount = (spent.input_tokens - spent.cached_tokens) * price.input + spent.cached_tokens * cached
    amount = (amount + spent.output_tokens * price.output) / MILLION
    tokens = (spent.input_tokens, spent.cached_tokens, spent.output_tokens)
    return Spent(spent.model, *tokens, spent.estimated, amount, price.currency)


def explained(calls: Iterable[Spent]) -> dict[str, str]:
    """A turn's calls in the words of its explanation: `tokens`, `cost`, and `cost_source`."""
    calls = list(calls)
    if not calls:
        return {}
    used = ((call.input_tokens, call.cached_tokens, call.output_tokens) for call in calls)
    tokens = [sum(column) for column in zip(*used, strict=True)]
    told = {"tokens": "{} in, {} of these cached, {} out".format(*tokens)}
    told["cost_source"] = "estimated" if any(call.estimated for call in calls) else "reported"
    if all(call.amount is not None for call in calls):
        sums: dict[str, Decimal] = {}
        for call in calls:
            sums[call.currency] = sums.get(call.currency, Decimal(0)) + (call.amount or Decimal(0))
        told["cost"] = ", ".join(f"{amount:f} {currency}" for currency, amount in sorted(sums.items()))
    return told
