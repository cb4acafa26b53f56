"""Search: values in, values out. The best passages, what to quote of the first, and how sure we are of it."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from parley_knowledge.documents import Scope
from parley_knowledge.index import MARK, LanguageIndex, Passage, Snapshot, indexed_terms
from parley_knowledge.search.answerability import Evidence, answerable
from parley_knowledge.search.lookup import fused, looked_up
from parley_knowledge.search.query import content_terms, weighted_terms
from parley_knowledge.search.quote import best_quote
from parley_knowledge.text import language_from

Ranked = list[tuple[int, float]]  # positions and scores, best first
FUSED: Final = 50  # passages of each ranking that are fused
ANYWHERE: Final = Scope()  # what is for everybody, whatever its dates


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


def search(
    snapshot: Snapshot,
    query: str,
    *,
    limit: int,
    language: str = "",
    scope: Scope = ANYWHERE,
    without: Collection[str] = (),
    near: Sequence[int] = (),
) -> Findings:
    """Search the passages in the question's language; only where these hold nothing of it, those in others.

    `without` names documents that are known already: what several searches need is found one after the other.
    `near` are passages of the question's language that mean the same, nearest first: they are fused with what the
    words find.
    """
    asked = language_from(language, query)
    for name in sorted(snapshot.languages, key=lambda name: name != asked):
        index = snapshot.languages[name]
        left_out = _left_out(index, scope, without)
        hidden = frozenset(left_out)
        close = [n for n in near if n not in hidden] if name == asked else []
        # More than asked for: how far the first one leads is known by the best of another document.
        worded = index.bm25.best_of(looked_up(query), max(limit + 8, FUSED if close else 0), left_out)
        if worded:
            best = fused([[n for n, _ in worded], close], limit + 8) if close else worded
            return _weighed(index, best, dict(worded), query, Findings((), name, snapshot.revision), limit)
    return Findings((), asked, snapshot.revision)


def search_on(
    snapshot: Snapshot, query: str, *, searches: int, limit: int, language: str = "", scope: Scope = ANYWHERE
) -> Findings:
    """Search several times, each time beyond the documents found before: for questions that need many documents.

    The first search's findings with the hits of all, in the order of the searches.
    """
    first = search(snapshot, query, limit=limit, language=language, scope=scope)
    hits = list(first.hits)
    for _ in range(searches - 1):
        known = {hit.passage.record.document_id for hit in hits}
        more = search(snapshot, query, limit=limit, language=first.language, scope=scope, without=known)
        if not more.hits or more.language != first.language:
            break
        hits.extend(more.hits)
    return replace(first, hits=tuple(hits))


def _left_out(index: LanguageIndex, scope: Scope, without: Collection[str]) -> list[int]:
    known = [n for n, p in enumerate(index.passages) if p.record.document_id in without] if without else []
    return [*index.hidden(scope), *known]


def _weighed(
    index: LanguageIndex, best: Ranked, worded: Mapping[int, float], query: str, findings: Findings, limit: int
) -> Findings:
    weights = _weights(index, query)
    first = best[0][0]
    quote = best_quote(index.passages[first].chunk.text, weights)
    evidence = _evidence(index, first, weights, query, _lead(index, first, worded))
    return replace(
        findings,
        hits=tuple(Hit(index.passages[n], score) for n, score in best[:limit]),
        quote=quote.text,
        answerable=answerable(evidence, findings.language),
        evidence=evidence,
    )


def _lead(index: LanguageIndex, first: int, worded: Mapping[int, float]) -> float:
    """How far a passage leads by its words over the best of other documents, from 0 to 1."""
    document = index.passages[first].record.document_id
    score = worded.get(first, 0.0)
    others = (s for n, s in worded.items() if index.passages[n].record.document_id != document)
    return max(0.0, 1 - max(others, default=0.0) / score) if score else 0.0


def _weights(index: LanguageIndex, text: str) -> dict[str, float]:
    """What a text is about, each term by how much it tells in this index."""
    return {term: index.bm25.idf(term) for term in content_terms(text)}


def _evidence(index: LanguageIndex, first: int, asked: Mapping[str, float], query: str, lead: float) -> Evidence:
    record, chunk = index.passages[first].record, index.passages[first].chunk
    held = index.bm25.held(first, asked)
    concepts = {term: 1.0 for term in asked if term.startswith(MARK)}
    return Evidence(
        title_coverage=_share(asked, _heading_terms(f"{record.title}\n{chunk.place}")),
        title_asked=_share(_weights(index, record.title), frozenset(weighted_terms(query))),
        concept_coverage=_share(concepts, held),
        support=_share(asked, held) * lead,
        length=math.log1p(len(asked)),
    )


@lru_cache(maxsize=4096)
def _heading_terms(text: str) -> frozenset[str]:
    return frozenset(indexed_terms(text))


def _share(weights: Mapping[str, float], held: frozenset[str]) -> float:
    """How much of the weight is held."""
    return sum(weight for term, weight in weights.items() if term in held) / (sum(weights.values()) or 1.0)
