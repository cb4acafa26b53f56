"""What an operator may set for the engine."""

from pydantic import Field

from parley.core import Settings


class EngineSettings(Settings):
    """Read from `PARLEY_AI_ENGINE_…`."""

    prefix = "PARLEY_AI_ENGINE_"

    group: str = Field(
        "default", pattern="^[a-z][a-z0-9_-]{0,31}$", description="the engine group whose turns it takes"
    )
    concurrency: int = Field(64, ge=1, le=10_000, description="turns that one replica works on at once")
    echo: bool = Field(False, description="1 to answer every message with itself (for benchmarks), else 0")
    sure_from: float = Field(0.5, ge=0, le=1, description="the lowest calibrated confidence that is shown as an answer")
    model_seconds: float = Field(30, gt=0, le=300, description="seconds that all models of one turn may take together")
    models: str = Field("", description="a YAML file with more models: docs/guides/add-a-provider.md")
    prices: str = Field("", description="a YAML file with what tokens cost: services/ai_engine/README.md")
    budgets: str = Field("", description="a YAML file with what may be spent: services/ai_engine/README.md")
    cache_seconds: float = Field(
        3600, ge=0, le=86_400, description="seconds that an answer is kept; 0: every question is asked"
    )
    context_tokens: int = Field(3500, ge=200, le=1_000_000, description="tokens of one prompt at most")
    prompts: str = Field("", description="a folder with prompts of your own: services/ai_engine/README.md")
    words: str = Field("", description="a file with words that no model's answer may show, one a line")
    links: str = Field("", description="hosts that answers may link to, comma-separated, like shop.example")
    search_seconds: float = Field(3, gt=0, le=30, description="seconds that a search may take")


class ModelSettings(Settings):
    """Read from `PARLEY_LLM_…`: one model at one vendor."""

    prefix = "PARLEY_LLM_"

    url: str = Field("", pattern=r"^(|https?://.+)$", description="the base URL, such as http://localhost:11434/v1")
    model: str = Field("", description="the model's name at that server")
    key: str = Field("", description="the API key; empty where the server needs none")
    key_file: str = Field("", description="a file that holds the key and may change at any time")
    vendor: str = Field("", description="openai, anthropic, dashscope and the like, or package.module:function")
    first_token_seconds: float = Field(10, gt=0, le=120, description="seconds until the first token")
    idle_seconds: float = Field(8, gt=0, le=120, description="seconds between two tokens")
    connect_seconds: float = Field(3, gt=0, le=60, description="seconds to connect, TLS included")
    keepalive_seconds: float = Field(30, ge=0, le=3600, description="seconds that an idle connection is kept")
    connections: int = Field(50, ge=1, le=1000, description="connections to the server at once")
    at_once: int = Field(50, ge=1, le=10_000, description="calls with this key at once")
    requests_per_minute: int = Field(0, ge=0, description="calls in a minute with this key; 0 for no limit")
    tokens_per_minute: int = Field(0, ge=0, description="tokens in a minute with this key; 0 for no limit")
    tenant_requests_per_minute: int = Field(0, ge=0, description="calls in a minute for each tenant; 0 for no limit")
    tenant_tokens_per_minute: int = Field(0, ge=0, description="tokens in a minute for each tenant; 0 for no limit")
    max_tokens: int = Field(500, ge=16, le=8192, description="tokens in one answer")
    temperature: float = Field(0.2, ge=0, le=2, description="a number from 0 to 2")
