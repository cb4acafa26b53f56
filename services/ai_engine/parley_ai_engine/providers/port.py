"""What the engine asks of a model, whoever makes it."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from parley.core import ParleyError

# Another try may succeed; nothing was wrong with what was asked.
RETRYABLE: Final = frozenset({"timeout", "unreachable", "truncated", "malformed", "rate_limited", "overloaded"})
# No other call with this key will do better until somebody acts.
HOPELESS: Final = frozenset({"unauthorized", "forbidden", "quota"})


class ModelFailed(ParleyError):
    """No answer, or one that broke off.

    `kind` is one of RETRYABLE or HOPELESS, or says that the request itself was not liked: too_long, filtered, refused.
    `retry_after` is in seconds, None where the server named none.
    """

    def __init__(self, kind: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as bytes; `kind` is its media type."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants to be called. `arguments` is JSON text as it came: check before use."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a prompt. `role` is system, user, assistant or tool; a tool's result names its call."""

    role: str
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """What a model may call; `schema` is the JSON schema of its arguments."""

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to a model. With `schema` the answer is JSON of that shape. 0 tokens: as the model is set up."""

    messages: tuple[Said, ...]
    tools: tuple[Tool, ...] = ()
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ModelReply:
    """How a streamed answer ended. `finish_reason` is stop, length, tool_calls or content_filter.

    `cached_tokens` are those of `input_tokens` that the vendor read from its cache. Not `reported`: the vendor told no
    usage, and the numbers are zero.
    """

    finish_reason: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    calls: tuple[ToolCall, ...] = ()
    reported: bool = True


class Model(Protocol):
    """Streams one answer: pieces of text, then exactly one ModelReply. Closing the iterator closes the upstream."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    def chat(self, ask: Ask) -> AsyncGenerator[str | ModelReply, None]:
        """Raises ModelFailed; an answer without a finish reason is a failure too. Never tries twice by itself."""
        ...
