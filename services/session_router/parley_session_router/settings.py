"""What an operator may set for the session-router."""

from typing import Annotated

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, Json, StringConstraints

from parley.core import Settings
from parley_session_router.machine import Rules

Group = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_-]{0,31}$")]


class BotSettings(BaseModel):
    """What one bot does differently from the others; a tenant's channel differs from the tenant, a tenant from all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    turn_seconds: float | None = Field(None, gt=0, le=600)
    idle_seconds: float | None = Field(None, gt=0)
    typing_seconds: float | None = Field(None, ge=0, le=30)
    hold_seconds: float | None = Field(None, ge=0, le=30)
    engine_group: Group | None = None


class RouterSettings(Settings):
    """Read from `PARLEY_SESSION_…`."""

    prefix = "PARLEY_SESSION_"

    turn_seconds: float = Field(45, gt=0, le=600, description="seconds until a turn without an answer goes to a person")
    idle_seconds: float = Field(600, gt=0, description="seconds of silence until a conversation is closed")
    typing_seconds: float = Field(3, ge=0, le=30, description="seconds that one typing signal of a visitor lasts")
    hold_seconds: float = Field(2, ge=0, le=30, description="seconds that a turn waits at most for a visitor who types")
    cached_sessions: int = Field(8000, ge=16, description="sessions that one router keeps at hand, over all its shards")
    engine_group: Group = Field("default", description="the engine group that answers, like default")
    bots: Json[dict[str, BotSettings]] = Field(
        {}, description='JSON by tenant or tenant/channel, like {"shop": {"turn_seconds": 30, "engine_group": "shop"}}'
    )

    def rules(self) -> Rules:
        """What the machine goes by: for all, and for each bot that differs."""
        rules = Rules(self.turn_seconds, self.idle_seconds, self.engine_group, self.typing_seconds, self.hold_seconds)
        tenants = {name: _changed(rules, bot) for name, bot in self.bots.items() if "/" not in name}
        channels = {
            name: _changed(tenants.get(name.partition("/")[0], rules), bot)
            for name, bot in self.bots.items()
            if "/" in name
        }
        return replace(rules, bots=tenants | channels)


def _changed(rules: Rules, bot: BotSettings) -> Rules:
    given = bot.model_dump(exclude_none=True)
    if "engine_group" in given:
        given["group"] = given.pop("engine_group")
    return replace(rules, **given)
