"""What the engine asks of a model."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from parley.core import ParleyError


class ModelFailed(ParleyError):
    """No answer, or one that broke off. `kind` is timeout, refused, truncated, unreachable or error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class ModelReply:
    """How a streamed answer ended."""

    finish_reason: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0


class Model(Protocol):
    """Streams one answer: pieces of text, then exactly one ModelReply. Closing the iterator closes the upstream."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    def chat(self, messages: Sequence[tuple[str, str]]) -> AsyncIterator[str | ModelReply]:
        """`messages` are (role, text). Raises ModelFailed; an answer without a finish reason is a failure too."""
        ...
