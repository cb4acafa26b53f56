"""Prompts are files with versions: the shipped ones, an operator's before them, a tenant's before those."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from parley.core import SettingsError

SHIPPED: Final = Path(__file__).parents[1] / "prompts"
_VERSION: Final = re.compile(r"\{#\s*version:\s*(\S+)\s*#\}")
_TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SAMPLE: Final = {"language": "English", "sentinel": "NOT_SURE", "passages": [{"number": 1, "title": "t", "text": "x"}]}
_sandbox = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, autoescape=False)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One file. `label` is what a turn says of it: name, version, and a checksum that tells two versions 1 apart."""

    label: str
    source: str

    def render(self, **values: Any) -> str:
        """Raises TemplateError; what was read by `Prompts` has been tried once."""
        return _sandbox.from_string(self.source).render(**values).strip()


class Prompts:
    """Finds the prompt of a tenant and language. Files are read once: a restart activates new ones."""

    def __init__(self, folder: str = "") -> None:
        self._folders = [Path(folder)] if folder else []
        self._find = cache(self._look)
        for path in [path for root in self._folders for path in sorted(root.rglob("*.j2"))]:
            read_prompt(path)  # a wrong file stops the start, not a visitor's turn

    def find(self, tenant: str, name: str, language: str) -> Prompt:
        """The tenant's, else the operator's, else the shipped one; English where there is none in the language."""
        return self._find(tenant, name, language)

    def _look(self, tenant: str, name: str, language: str) -> Prompt:
        own = [root / tenant for root in self._folders] if _TENANT.fullmatch(tenant) else []
        return next(
            read_prompt(file)
            for tongue in (language, "en")
            for folder in (*own, *self._folders, SHIPPED)
            if (file := folder / f"{name}.{tongue}.j2").is_file()
        )


def read_prompt(path: Path) -> Prompt:
    """A file that has been tried. Raises SettingsError that names it, and the line where there is one."""
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the prompt {path} cannot be read: {error}") from error
    version = _VERSION.search(source)
    if version is None:
        raise SettingsError(f"the prompt {path} names no version; begin it with {{# version: 1 #}}")
    checksum = sha256(source.encode()).hexdigest()[:12]
    prompt = Prompt(f"{path.stem} v{version[1]} {checksum}", source)
    try:
        prompt.render(**_SAMPLE)
    except (TemplateError, TypeError) as error:
        line = getattr(error, "lineno", None)
        raise SettingsError(f"the prompt {path} does not work{f' (line {line})' if line else ''}: {error}") from error
    return prompt


def passages(texts: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """(title, text) pairs as a template sees them, numbered from 1."""
    return [{"number": number, "title": title, "text": text} for number, (title, text) in enumerate(texts, 1)]
