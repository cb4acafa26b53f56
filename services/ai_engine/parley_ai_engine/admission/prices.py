"""What calls cost: prices are dated data of the operator's, since no price list stays true."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
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
class Tariff:
    """What a million tokens cost at one time."""

    input: Decimal
    cached: Decimal
    output: Decimal
    currency: str

    def of(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> Decimal:
        """The exact amount; `cached_tokens` are those of the input."""
        amount = (input_tokens - cached_tokens) * self.input + cached_tokens * self.cached
        return (amount + output_tokens * self.output) / MILLION

    def __str__(self) -> str:
        """As `read` takes it."""
        return f"{self.input:f} {self.cached:f} {self.output:f} {self.currency}"

    @staticmethod
    def read(text: str) -> "Tariff":
        """Raises ValueError for what is no tariff."""
        try:
            *numbers, currency = text.split()
            input_, cached, output = map(Decimal, numbers)
        except (ValueError, InvalidOperation) as error:
            raise ValueError(f'"{text}" is no price: expected three numbers and a currency') from error
        return Tariff(input_, cached, output, currency)


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


def price_of(model: str, prices: Sequence[Price], now: float) -> Tariff | None:
    """By the newest price that holds at `now` (unix seconds); None where there is no price."""
    today = datetime.fromtimestamp(now, UTC).date()
    fitting = [price for price in prices if price.since <= today and fnmatchcase(model, price.model)]
    if not fitting:
        return None
    price = max(fitting, key=lambda one: one.since)
    return Tariff(price.input, price.input if price.cached is None else price.cached, price.output, price.currency)
