"""Conversations in YAML: what a visitor says, what the model does, and what the reply must be."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parley.core import Invalid


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scripted(_Strict):
    """What the model does in one turn. With both, it fails after it said something."""

    says: str = ""
    fails: Literal[
        "", "timeout", "unreachable", "truncated", "malformed", "rate_limited", "overloaded", "unauthorized",
        "forbidden", "quota", "too_long", "filtered", "refused",
    ] = ""  # fmt: skip


class Expected(_Strict):
    """What is looked at; what is not named is not. Words are compared without regard to case."""

    origin: str | None = None
    level: str | None = None
    handoff: str | None = None  # the reason, or `none`
    guard: str | None = None  # `none`, or part of what a guard says
    sources: tuple[str, ...] = ()  # parts of a source's address or title
    tools: tuple[str, ...] | None = None
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    model_reads: tuple[str, ...] = ()
    model_never_reads: tuple[str, ...] = ()


class TurnCase(_Strict):
    """One message of the visitor, and the reply to it."""

    says: str = Field(min_length=1)
    model: Scripted | None = None
    expect: Expected = Expected()


class Conversation(_Strict):
    """A conversation from its first message."""

    name: str = Field(min_length=1)
    locale: str = ""
    turns: Annotated[tuple[TurnCase, ...], Field(min_length=1)]


class _File(_Strict):
    conversations: tuple[Conversation, ...]


def read_folder(folder: Path) -> list[tuple[Path, Conversation]]:
    """All conversations of a folder's YAML files, by file name. Raises Invalid that names the place to mend."""
    files = sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")])
    if not files:
        raise Invalid(f"there is no YAML file with conversations under {folder}")
    return [(file, conversation) for file in files for conversation in _read(file)]


def _read(file: Path) -> tuple[Conversation, ...]:
    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        return _File.model_validate(content).conversations
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Invalid(f"{file} cannot be read: {error}") from error
    except ValidationError as error:
        told = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise Invalid(f"{file}: mend {'; '.join(told)}") from None
