"""Everything that an answer passes on its way out, piece by piece."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from parley.core import SettingsError
from parley_ai_engine.guards.links import LinkFilter
from parley_ai_engine.guards.personal import Personal, Restorer
from parley_ai_engine.guards.provenance import ProvenanceFilter, Support
from parley_ai_engine.guards.words import WordFilter, WordList
from parley_ai_engine.pipeline.streaming import ChunkWriter


@dataclass(frozen=True)
class Outgoing:
    """What is checked; one for the whole engine."""

    words: WordList = field(default_factory=lambda: WordList(()))
    hosts: tuple[str, ...] = ()

    @staticmethod
    def read(words_file: str, hosts: str) -> "Outgoing":
        """A file with a word a line, `#` for remarks, and hosts between commas. Raises SettingsError."""
        try:
            lines = Path(words_file).read_text(encoding="utf-8").splitlines() if words_file else []
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f'PARLEY_AI_ENGINE_WORDS is "{words_file}", which cannot be read: {error}') from error
        listed = [line for line in lines if line.strip() and not line.startswith("#")]
        return Outgoing(WordList(listed), tuple(host for host in hosts.split(",") if host.strip()))

    def guard(self, writer: ChunkWriter) -> "GuardedWriter":
        """The way to a writer, of any answer."""
        return self.on().guard(writer)

    def on(
        self, support: Support | None = None, personal: Personal | None = None, secret: WordList | None = None
    ) -> "OneAnswer":
        """What one answer passes: personal data come back, then facts, words of the prompt, listed words, addresses."""
        return OneAnswer(self, support, personal, secret)


@dataclass(frozen=True)
class OneAnswer:
    """The guards of one answer."""

    rules: Outgoing
    support: Support | None
    personal: Personal | None
    secret: WordList | None

    def guard(self, writer: ChunkWriter) -> "GuardedWriter":
        """The way to a writer."""
        stages: list[Stage] = [Restorer(self.personal)] if self.personal is not None else []
        stages += [ProvenanceFilter(self.support)] if self.support is not None else []
        stages += [WordFilter(self.secret, "leak")] if self.secret is not None else []
        links = LinkFilter(self.rules.hosts)
        return GuardedWriter(writer, [*stages, WordFilter(self.rules.words), links], links)


class Stage(Protocol):
    """One guard on one answer."""

    def write(self, text: str) -> str:
        """More of the answer; what may go on now. Raises Blocked."""
        ...

    def finish(self) -> str:
        """The answer is complete; the rest. Raises Blocked."""
        ...


class GuardedWriter:
    """Writes what may be shown. `write` and `finish` raise Blocked."""

    def __init__(self, writer: ChunkWriter, stages: Sequence[Stage], links: LinkFilter) -> None:
        self._writer = writer
        self._stages = stages
        self._links = links

    @property
    def text(self) -> str:
        """All that was shown."""
        return self._writer.text

    @property
    def removed(self) -> int:
        """How many addresses were taken out."""
        return self._links.removed

    def write(self, text: str) -> None:
        """More of the answer."""
        for stage in self._stages:
            text = stage.write(text)
        self._pass(text)

    def finish(self) -> None:
        """The answer is complete."""
        text = ""
        for stage in self._stages:
            text = stage.write(text) + stage.finish()
        self._pass(text)
        self._writer.finish()

    def _pass(self, text: str) -> None:
        if text:
            self._writer.write(text)
