"""Which models there are: the one of the environment, and those of a file."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parley.core import Clock, SettingsError
from parley_ai_engine.admission.breaker import Breaker
from parley_ai_engine.admission.buckets import Rate
from parley_ai_engine.admission.gate import Gate, GateRules
from parley_ai_engine.admission.prices import read_prices
from parley_ai_engine.admission.redis_buckets import open_buckets
from parley_ai_engine.cache.answers import open_answers
from parley_ai_engine.cache.remembering import Remembering
from parley_ai_engine.costs.budgets import Budgets, read_budgets
from parley_ai_engine.costs.counters import open_counters
from parley_ai_engine.costs.store import CostStore
from parley_ai_engine.costs.usage import Usage
from parley_ai_engine.pipeline.ladder import Ladder, Route
from parley_ai_engine.providers import open_model
from parley_ai_engine.settings import EngineSettings, ModelSettings


class RouteSettings(ModelSettings):
    """One model of the file: what `PARLEY_LLM_…` says of one, and the rung it stands on."""

    url: str = Field(pattern=r"^https?://.+$", description="the base URL")
    model: str = Field(min_length=1, description="the model's name at that server")
    level: Literal["main", "other", "local"] = Field("other", description="main, other or local")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    models: list[RouteSettings]


def read_routes(path: Path) -> list[RouteSettings]:
    """The models of a file. Raises SettingsError that names the line to mend."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _File.model_validate(content).models
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f'PARLEY_AI_ENGINE_MODELS is "{path}", which cannot be read: {error}') from error
    except ValidationError as error:
        told = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise SettingsError(f'PARLEY_AI_ENGINE_MODELS is "{path}"; mend {"; ".join(told)}') from None


@asynccontextmanager
async def open_ladder(
    settings: EngineSettings,
    chosen: ModelSettings,
    clock: Clock,
    cache_url: str = "memory:",
    book: Callable[[Usage], None] = lambda _: None,
    books: CostStore | None = None,
) -> AsyncIterator[Remembering | None]:
    """All models and their connections; None when there is not one. With `redis://…` all replicas share the limits.

    `book` is told of every call; budgets that are new to this process begin with what `books` say was spent.
    """
    wanted: list[tuple[ModelSettings, str]] = [(chosen, "main")] if chosen.url else []
    if settings.models:
        wanted += [(route, route.level) for route in read_routes(Path(settings.models))]
    if not wanted:
        yield None
        return
    prices = read_prices(Path(settings.prices)) if settings.prices else []
    async with AsyncExitStack() as stack:
        budgets = await _open_budgets(stack, settings.budgets, cache_url, books, clock)
        buckets = await stack.enter_async_context(open_buckets(cache_url, clock))
        gates: dict[str, Gate] = {}
        routes = []
        for one, level in wanted:
            model = await stack.enter_async_context(open_model(one))
            name = _key_name(one)
            gate = gates.setdefault(name, Gate(name, _limits(one), buckets, clock))
            routes.append(Route(model, Breaker(clock), level, gate, one.max_tokens))
        ladder = Ladder(routes, clock, total_seconds=settings.model_seconds, prices=prices, book=book, budgets=budgets)
        answers = await stack.enter_async_context(open_answers(cache_url, settings.cache_seconds, clock))
        yield Remembering(ladder, answers, shares=settings.cache_seconds > 0)


async def _open_budgets(
    stack: AsyncExitStack, file: str, cache_url: str, books: CostStore | None, clock: Clock
) -> Budgets | None:
    if not file:
        return None
    rules = read_budgets(Path(file))
    return Budgets(rules, await stack.enter_async_context(open_counters(cache_url)), books, clock)


def _key_name(settings: ModelSettings) -> str:
    """What stands for a key where others may read it."""
    return sha256(f"{settings.url} {settings.key or settings.key_file}".encode()).hexdigest()[:12]


def _limits(settings: ModelSettings) -> GateRules:
    key = Rate(settings.requests_per_minute, settings.tokens_per_minute)
    return GateRules(
        settings.at_once, key, Rate(settings.tenant_requests_per_minute, settings.tenant_tokens_per_minute)
    )
