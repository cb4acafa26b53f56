"""BM25 over the passages of one language. bm25s answers queries; the matrix it reads is computed here.

bm25s' own builder goes over every term of every passage in Python and holds the interpreter for seconds. The counts of
a passage never change, so they are kept, and building anew is arithmetic on arrays. A test holds both to equal scores.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import bm25s
import numpy as np
from numpy.typing import NDArray

K1: Final = 1.2
B: Final = 0.75
MAX_QUERY_TERMS: Final = 1024
ROW_BITS: Final = 24  # 16 million passages
COUNT_BITS: Final = 16  # which leaves 23 bits for 8 million terms
MOST: Final = (1 << COUNT_BITS) - 1

Vocabulary = dict[str, int]


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each term stands in one passage."""

    terms: NDArray[np.int32]
    counts: NDArray[np.uint16]
    length: int


def count(found: Sequence[str], vocabulary: Vocabulary) -> Counts:
    """Count the terms of a passage; new ones are added to the vocabulary. One thread at a time."""
    tally = Counter(found)
    ids = np.fromiter((vocabulary.setdefault(t, len(vocabulary)) for t in tally), np.int32, len(tally))
    counts = np.fromiter((min(n, MOST) for n in tally.values()), np.uint16, len(tally))
    return Counts(ids, counts, len(found))


class Bm25:
    """Never changes once built; any number of threads may search it."""

    def __init__(self, passages: Sequence[Counts], vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._size = len(vocabulary)  # terms that are added later are unknown here
        self.passages = len(passages)
        self._counts = passages
        self._idf = np.zeros(0, np.float32)
        self._engine = self._build(passages) if passages else None

    def _build(self, passages: Sequence[Counts]) -> Any:
        lengths = np.array([p.length for p in passages], np.float32)
        terms, rows, counts = _by_term(passages)
        frequency = np.bincount(terms, minlength=self._size)
        self._idf = _idf(frequency, len(passages))
        norm = K1 * (1 - B + B * lengths / max(float(lengths.mean()), 1e-9))
        engine = bm25s.BM25(k1=K1, b=B, method="lucene")
        engine.nonoccurrence_array = None
        engine.scores = {
            "data": self._idf[terms] * counts / (counts + norm[rows]),
            "indices": rows,
            "indptr": np.concatenate([[0], np.cumsum(frequency)]),
            "num_docs": len(passages),
        }
        return engine

    def scores(self, query: Sequence[str]) -> NDArray[np.float32]:
        """The score of every passage for the terms of a query; all zero when none is known."""
        known = self.known(query)
        if self._engine is None or not known:
            return np.zeros(self.passages, np.float32)
        found: NDArray[np.float32] = self._engine.get_scores_from_ids(known[:MAX_QUERY_TERMS])
        return found

    def best(self, query: Sequence[str], limit: int, without: Sequence[int] = ()) -> list[tuple[int, float]]:
        """The positions and scores of the best passages, best first; of equal ones the earlier. None scores zero."""
        return self.best_of([query], limit, without)

    def best_of(
        self, queries: Sequence[Sequence[str]], limit: int, without: Sequence[int] = ()
    ) -> list[tuple[int, float]]:
        """The same for several queries at once.

        A passage counts the root of its sum of squares: one that answers one of them clearly beats one that shares
        a word with each (CombSUM of Fox and Shaw, TREC-2, over squares).
        """
        found = [self.scores(query) for query in queries]
        scores = found[0] if len(found) == 1 else np.sqrt(np.sum(np.square(found), axis=0, dtype=np.float32))
        if without:
            scores[list(without)] = 0
        wanted = min(limit, len(scores))
        if wanted <= 0:
            return []
        least = np.partition(scores, -wanted)[-wanted]
        best = [(int(i), float(scores[i])) for i in np.flatnonzero((scores >= least) & (scores > 0))]
        return sorted(best, key=lambda pair: (-pair[1], pair[0]))[:limit]

    def known(self, query: Sequence[str]) -> list[int]:
        """The ids of those terms that stand anywhere in this index."""
        ids = (self._vocabulary.get(term, self._size) for term in query)
        return [i for i in ids if i < self._size and self._idf[i] > 0] if self._engine else []

    def held(self, position: int, terms: Iterable[str]) -> frozenset[str]:
        """Those of the terms that stand in a passage; nothing of its text is read again for that."""
        ids = {self._vocabulary[term]: term for term in terms if term in self._vocabulary}
        standing = np.intersect1d(self._counts[position].terms, np.fromiter(ids, np.int32, len(ids)))
        return frozenset(ids[int(i)] for i in standing)

    def idf(self, term: str) -> float:
        """How much a term tells; one that stands nowhere tells as much as the rarest could."""
        known = self.known([term])
        return float(self._idf[known[0]]) if known else float(np.log(1 + (self.passages + 0.5) / 0.5))


def _by_term(passages: Sequence[Counts]) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]:
    """Term, row and count of every entry, in the order of terms, then rows.

    All three are packed into one number for that: sorting numbers is ten times faster than sorting positions.
    """
    packed = np.concatenate([p.terms for p in passages]).astype(np.int64) << (ROW_BITS + COUNT_BITS)
    packed |= np.repeat(np.arange(len(passages), dtype=np.int64) << COUNT_BITS, [len(p.terms) for p in passages])
    packed |= np.concatenate([p.counts for p in passages])
    packed.sort()
    terms = (packed >> (ROW_BITS + COUNT_BITS)).astype(np.int32)
    rows = ((packed >> COUNT_BITS) & ((1 << ROW_BITS) - 1)).astype(np.int32)
    return terms, rows, (packed & ((1 << COUNT_BITS) - 1)).astype(np.float32)


def _idf(frequency: NDArray[np.int64], passages: int) -> NDArray[np.float32]:
    # Lucene's form, as in Kamphuis et al., ECIR 2020; zero for a term whose last passage has gone.
    idf = np.log(1 + (passages - frequency + 0.5) / (frequency + 0.5))
    return np.where(frequency > 0, idf, 0).astype(np.float32)
