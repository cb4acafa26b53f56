"""Everything that an answer passes on its way out, piece by piece."""

from dataclasses import dataclass, field
from pathlib import Path

from parley.core import SettingsError
from parley_ai_engine.guards.links import LinkFilter
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

    def guard(self, writer: ChunkWriter, support: Support | None = None) -> "GuardedWriter":
        """The way to a writer. With `support`, facts that stand nowhere in it are not shown either."""
        provenance = ProvenanceFilter(support) if support is not None else None
        return GuardedWriter(writer, WordFilter(self.words), LinkFilter(self.hosts), provenance)


class GuardedWriter:
    """Writes what may be shown. `write` and `finish` raise Blocked."""

    def __init__(
        self, writer: ChunkWriter, words: WordFilter, links: LinkFilter, provenance: ProvenanceFilter | None = None
    ) -> None:
        self._writer = writer
        self._words = words
        self._links = links
        self._provenance = provenance

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
        known = self._provenance.write(text) if self._provenance else text
        self._pass(self._links.write(self._words.write(known)))

    def finish(self) -> None:
        """The answer is complete."""
        known = self._provenance.finish() if self._provenance else ""
        self._pass(self._links.write(self._words.write(known) + self._words.finish()) + self._links.finish())
        self._writer.finish()

    def _pass(self, text: str) -> None:
        if text:
            self._writer.write(text)
