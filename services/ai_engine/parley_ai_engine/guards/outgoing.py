"""Everything that an answer passes on its way out, piece by piece."""

from dataclasses import dataclass, field
from pathlib import Path

from parley.core import SettingsError
from parley_ai_engine.guards.links import LinkFilter
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

    def check(self, text: str) -> str:
        """A whole text. Raises Blocked."""
        return self._through(text, *self._filters())

    def guard(self, writer: ChunkWriter) -> "GuardedWriter":
        """The way to a writer."""
        return GuardedWriter(writer, *self._filters())

    def _filters(self) -> tuple[WordFilter, LinkFilter]:
        return WordFilter(self.words), LinkFilter(self.hosts)

    @staticmethod
    def _through(text: str, words: WordFilter, links: LinkFilter) -> str:
        return links.write(words.write(text) + words.finish()) + links.finish()


class GuardedWriter:
    """Writes what may be shown. `write` and `finish` raise Blocked."""

    def __init__(self, writer: ChunkWriter, words: WordFilter, links: LinkFilter) -> None:
        self._writer = writer
        self._words = words
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
        self._pass(self._links.write(self._words.write(text)))

    def finish(self) -> None:
        """The answer is complete."""
        self._pass(self._links.write(self._words.finish()) + self._links.finish())
        self._writer.finish()

    def _pass(self, text: str) -> None:
        if text:
            self._writer.write(text)
