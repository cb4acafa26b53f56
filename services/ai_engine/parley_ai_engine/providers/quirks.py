"""How the servers that speak OpenAI's chat completions differ, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from parley_ai_engine.settings import ModelSettings

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Quirks:
    """One dialect. `codes` override what an error code means; `extra` goes into every request's body."""

    max_tokens: str = "max_tokens"
    temperature: bool = True
    json_schema: bool = True  # else it is asked for JSON, and the schema is told in the prompt
    codes: Mapping[str, str] = field(default_factory=lambda: _NONE)
    extra: Mapping[str, Any] = field(default_factory=lambda: _NONE)


DIALECTS: Final[Mapping[str, Quirks]] = MappingProxyType({
    "compatible": Quirks(),
    "openai": Quirks(max_tokens="max_completion_tokens"),
    "dashscope": Quirks(
        json_schema=False,
        # a minute's quota, not the account's: it comes back by itself
        codes={
            "insufficient_quota": "rate_limited",
            "Throttling.AllocationQuota": "rate_limited",
            "Arrearage": "quota",
        },
        extra={"enable_thinking": False},
    ),
    "deepseek": Quirks(json_schema=False),
    "ollama": Quirks(),
    "vllm": Quirks(),
})  # fmt: skip

_HOSTS: Final = (
    ("api.openai.com", "openai"),
    ("dashscope", "dashscope"),
    ("compatible-mode", "dashscope"),
    ("api.deepseek.com", "deepseek"),
    ("api.anthropic.com", "anthropic"),
)


def vendor_of(settings: ModelSettings) -> str:
    """The vendor as given, else as the address shows."""
    return settings.vendor or next((vendor for part, vendor in _HOSTS if part in settings.url), "compatible")
