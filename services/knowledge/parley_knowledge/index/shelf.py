"""The passages of one tenant, ready to be searched: a snapshot that never changes, replaced as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from parley_knowledge.documents import Chunk, Labels, Record, Scope
from parley_knowledge.index.concepts import indexed_terms

if TYPE_CHECKING:  # numpy and bm25s take a third of a second to import: the first index does, in its thread
    from parley_knowledge.index.bm25 import Bm25, Counts, Vocabulary


_EVERYBODY = Labels()


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk and the document version that it belongs to."""

    record: Record
    ordinal: int
    chunk: Chunk

    @property
    def chunk_id(self) -> str:
        """Names this passage of this version."""
        return f"{self.record.document_id}.{self.record.version}.{self.ordinal}"

    @property
    def searched(self) -> str:
        """What is counted: a passage says little without its titles, and the document's says more than a sentence."""
        return f"{self.record.title}\n{self.record.title}\n{self.chunk.place}\n{self.chunk.text}"


@dataclass(frozen=True, slots=True)
class LanguageIndex:
    """All passages of one language; `bm25` scores them in this order."""

    passages: tuple[Passage, ...]
    bm25: "Bm25"
    labelled: tuple[int, ...] = ()  # positions of passages that not everybody may see at any time

    def hidden(self, scope: Scope) -> tuple[int, ...]:
        """The positions of passages that a question from there may not see."""
        return tuple(n for n in self.labelled if not scope.sees(self.passages[n].record.labels))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a search sees from its beginning to its end. Lengths and rarity are only comparable within a language."""

    revision: int = 0
    languages: Mapping[str, LanguageIndex] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Passages in all languages."""
        return sum(len(index.passages) for index in self.languages.values())


@dataclass(frozen=True, slots=True)
class _Shelved:
    record: Record
    passages: tuple[Passage, ...]
    counts: "tuple[Counts, ...]"


class Shelf:
    """Makes snapshots out of changes. Work for a thread, one change at a time: passages are counted once and kept."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self._documents: dict[str, _Shelved] = {}
        self._vocabularies: dict[str, Vocabulary] = {}

    def chunk_sets(self) -> dict[str, str]:
        """The passages that are shelved, by document: what a refresh compares with the store."""
        return {key: shelved.record.chunk_set for key, shelved in self._documents.items()}

    def change(
        self, added: Sequence[tuple[Record, Sequence[Chunk]]], removed: Iterable[str], revision: int
    ) -> Snapshot:
        """Take in new versions, drop removed documents, and publish the snapshot of the outcome."""
        touched: set[str] = set()
        for document_id in removed:
            if gone := self._documents.pop(document_id, None):
                touched.add(gone.record.language)
        for record, chunks in added:
            if replaced := self._documents.get(record.document_id):
                touched.add(replaced.record.language)
            self._documents[record.document_id] = self._counted(record, chunks, replaced)
            touched.add(record.language)
        languages = dict(self.snapshot.languages) | {name: self._indexed(name) for name in touched}
        self.snapshot = Snapshot(revision, {name: index for name, index in languages.items() if index.passages})
        return self.snapshot

    def _counted(self, record: Record, chunks: Sequence[Chunk], replaced: _Shelved | None) -> _Shelved:
        from parley_knowledge.index.bm25 import count  # noqa: PLC0415 - see above

        vocabulary = self._vocabularies.setdefault(record.language, {})
        passages = tuple(Passage(record, n, chunk) for n, chunk in enumerate(chunks))
        known = _known(replaced) if replaced and replaced.record.language == record.language else {}
        counts = (known.get(p.searched) or count(indexed_terms(p.searched), vocabulary) for p in passages)
        return _Shelved(record, passages, tuple(counts))

    def _indexed(self, language: str) -> LanguageIndex:
        from parley_knowledge.index.bm25 import Bm25  # noqa: PLC0415 - see above

        found = [d for d in self._documents.values() if d.record.language == language]
        found.sort(key=lambda shelved: shelved.record.document_id)  # equal scores rank alike on every replica
        counts = [c for shelved in found for c in shelved.counts]
        passages = tuple(p for shelved in found for p in shelved.passages)
        labelled = tuple(n for n, passage in enumerate(passages) if passage.record.labels != _EVERYBODY)
        return LanguageIndex(passages, Bm25(counts, self._vocabularies.get(language, {})), labelled)


def _known(shelved: _Shelved) -> "dict[str, Counts]":
    """The counts of passages that the new version may have again: only what is new in it is counted."""
    return {passage.searched: counts for passage, counts in zip(shelved.passages, shelved.counts, strict=True)}
