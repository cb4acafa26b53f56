"""Settings come from the environment, once, here; an error tells the reader what to type."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from parley.core.errors import SettingsError
from parley.core.redact import redact

PREFIX = "PARLEY_"


class Settings(BaseModel):
    """Base of every settings class: `bus_url` is read from `PARLEY_BUS_URL`; an empty variable counts as unset."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prefix: ClassVar[str] = PREFIX

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read from `environment` (the process's own by default). Raises SettingsError naming each wrong variable."""
        source = os.environ if environment is None else environment
        found = {name: source[cls.variable(name)] for name in cls.model_fields if source.get(cls.variable(name))}
        try:
            return cls(**found)
        except ValidationError as error:
            raise SettingsError("\n".join(cls._explain(dict(problem)) for problem in error.errors())) from None

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable of a field."""
        return cls.prefix + field.upper()

    @classmethod
    def _explain(cls, problem: dict[str, Any]) -> str:
        field = str(problem["loc"][0]) if problem["loc"] else ""
        info: FieldInfo | None = cls.model_fields.get(field)
        expected = (info.description if info else "") or problem["msg"]
        variable = cls.variable(field)
        return f'{variable} is "{redact(problem.get("input"), key=field)}"; expected {expected}'


class PlaceSettings(Settings):
    """Where the parts are: the settings that every service shares."""

    home: Path = Field(Path("var"), description="a folder that can be written, like var/")
    bus_url: str = Field("memory:", pattern=r"^(memory:|amqps?://.+)", description="memory: or amqp://user:pass@host/")
    database_url: str = Field(
        "", pattern=r"^(|sqlite:///.+|mongodb(\+srv)?://.+)$", description="sqlite:///path or mongodb://host/database"
    )
    blobs_url: str = Field("", pattern=r"^(|file:///.+)$", description="file:///path")
    cache_url: str = Field("memory:", pattern=r"^(memory:|rediss?://.+)", description="memory: or redis://host/")
    otlp_url: str = Field("", pattern=r"^(|https?://.+)$", description="http://collector:4318")
    shards: int = Field(16, ge=1, le=256, description="a whole number from 1 to 256, the same for every service")
    demo: bool = Field(False, description="1 for the demo that `make run` starts, else 0")
    trace_ratio: float | None = Field(None, ge=0, le=1, description="a share of turns to trace, from 0 to 1")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR")
    drain_seconds: float = Field(20, ge=0, le=3600, description="seconds that running work may take after SIGTERM")
    health_port: int = Field(0, ge=0, le=65535, description="a port for /livez, /readyz and /metrics; 0 for none")
    session_router_url: str = Field("", description="host:port or unix:path of the session-router's gRPC")
    knowledge_url: str = Field("", description="host:port or unix:path of knowledge's gRPC")
    media_url: str = Field("", description="host:port or unix:path of media's gRPC")
    ai_engine_url: str = Field("", description="host:port or unix:path of the ai-engine's gRPC")
    session_router_listen: str = Field("", description="host:port or unix:path to serve gRPC on")
    knowledge_listen: str = Field("", description="host:port or unix:path to serve gRPC on")
    media_listen: str = Field("", description="host:port or unix:path to serve gRPC on")
    ai_engine_listen: str = Field("", description="host:port or unix:path to serve gRPC on")

    def database(self) -> str:
        """The database URL, by default one SQLite file under `home`."""
        return self.database_url or f"sqlite:///{(self.home / 'parley.db').absolute()}"

    def blobs(self) -> str:
        """The blob store's URL, by default a folder under `home`."""
        return self.blobs_url or f"file:///{str((self.home / 'blobs').absolute()).lstrip('/')}"

    def grpc_target(self, service: str) -> str:
        """Where the gRPC of `service` is found; a socket under `home` by default."""
        return getattr(self, f"{service.replace('-', '_')}_url", "") or self._socket(service)

    def grpc_listen(self, service: str) -> str:
        """Where `service` serves its gRPC; a socket under `home` by default."""
        return getattr(self, f"{service.replace('-', '_')}_listen", "") or self._socket(service)

    def traced_share(self) -> float:
        """The share of turns that are traced: every one in the demo, else one in a hundred."""
        if self.trace_ratio is not None:
            return self.trace_ratio
        return 1.0 if self.demo else 0.01

    def _socket(self, service: str) -> str:
        return f"unix:{(self.home / 'run' / f'{service}.sock').absolute()}"
