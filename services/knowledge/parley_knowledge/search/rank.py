"""Search: values in, values out. The best passages, what to quote of the first, and how sure we are of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from parley_knowledge.index import LanguageIndex, Passage, Snapshot, terms
from parley_knowledge.search.answerability import Evidence, answerable
from parley_knowledge.search.query import content_terms, weighted_terms
from parley_knowledge.search.quote import Quote, best_quote
from parley_knowledge.text import language_from


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage and its score."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Findings:
    """What a search has found."""

    hits: tuple[Hit, ...]  # best first
    language: str  # of the passages that were searched
    revision: int  # of the knowledge that was searched
    quote: str = ""
    answerable: float = 0.0
    evidence: Evidence | None = None


def search(snapshot: Snapshot, query: str, *, limit: int, language: str = "") -> Findings:
    """Search the passages in the question's language; only where these hold nothing of it, those in others."""
    asked = language_from(language, query)
    for name in sorted(snapshot.languages, key=lambda name: name != asked):
        index = snapshot.languages[name]
        found = weighted_terms(query, name)
        # A few more than asked for: how far the first one leads is known by the best of another document.
        hits = tuple(Hit(index.passages[position], score) for position, score in index.bm25.best(found, limit + 8))
        if hits:
            return _weighed(index, hits, query, found, Findings(hits[:limit], name, snapshot.revision))
    return Findings((), asked, snapshot.revision)


def _weighed(index: LanguageIndex, hits: tuple[Hit, ...], query: str, found: list[str], findings: Findings) -> Findings:
    language = findings.language
    weights = {term: index.bm25.idf(term) for term in content_terms(query, language)}
    quote = best_quote(hits[0].passage.chunk.text, weights)
    evidence = _evidence(index, hits, weights, found, quote)
    sure = answerable(evidence, language)
    return Findings(findings.hits, language, findings.revision, quote.text, sure, evidence)


def _evidence(
    index: LanguageIndex, hits: tuple[Hit, ...], weights: Mapping[str, float], found: list[str], quote: Quote
) -> Evidence:
    best = hits[0]
    total = sum(weights.values()) or 1.0
    held = frozenset(terms(best.passage.searched))
    titled = frozenset(terms(f"{best.passage.record.title}\n{best.passage.chunk.place}"))
    other = next((h for h in hits[1:] if h.passage.record.document_id != best.passage.record.document_id), None)
    return Evidence(
        coverage=sum(w for t, w in weights.items() if t in held) / total,
        quote_coverage=quote.coverage,
        title_coverage=sum(w for t, w in weights.items() if t in titled) / total,
        unknown=sum(w for t, w in weights.items() if not index.bm25.known([t])) / total,
        saturation=best.score / (sum(index.bm25.idf(term) for term in found) or 1.0),
        lead=1 - other.score / best.score if other else 1.0,
        length=math.log1p(len(weights)),
    )
