"""Which models there are: the one of the environment, and those of a file."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parley.core import Clock, SettingsError
from parley_ai_engine.admission.breaker import Breaker
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
async def open_ladder(settings: EngineSettings, chosen: ModelSettings, clock: Clock) -> AsyncIterator[Ladder | None]:
    """All models and their connections; None when there is not one."""
    wanted: list[tuple[ModelSettings, str]] = [(chosen, "main")] if chosen.url else []
    if settings.models:
        wanted += [(route, route.level) for route in read_routes(Path(settings.models))]
    async with AsyncExitStack() as stack:
        routes = [
            Route(await stack.enter_async_context(open_model(model)), Breaker(clock), level) for model, level in wanted
        ]
        yield Ladder(routes, clock, total_seconds=settings.model_seconds) if routes else None
