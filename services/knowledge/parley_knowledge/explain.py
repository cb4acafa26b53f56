"""Why a search has found what it has found: the words that were looked up, and those that stand in each passage."""

from collections import Counter
from dataclasses import asdict
from typing import Final

from parley.contracts.v1 import PassageTerms, SearchExplanation, TermWeight
from parley_knowledge.documents import Scope
from parley_knowledge.index import LanguageIndex, Snapshot, indexed_terms
from parley_knowledge.search import Findings
from parley_knowledge.search.query import weighted_terms

MOST_TERMS: Final = 40


def explained(snapshot: Snapshot, query: str, findings: Findings, scope: Scope) -> SearchExplanation:
    """Computed anew from the same snapshot."""
    index = snapshot.languages.get(findings.language)
    if index is None:
        return SearchExplanation()
    weights = _weights(index, query)
    found = SearchExplanation(
        terms=[TermWeight(term=term, weight=weight) for term, weight in weights.items()],
        passages=[
            PassageTerms(chunk_id=hit.passage.chunk_id, terms=_standing(weights, hit.passage.searched))
            for hit in findings.hits
        ],
        hidden=len(index.hidden(scope)),
    )
    if findings.evidence:
        found.evidence.update({name: float(value) for name, value in asdict(findings.evidence).items()})
    return found


def _weights(index: LanguageIndex, query: str) -> dict[str, float]:
    """What tells most first; words that stand nowhere in the index find nothing and are left out."""
    counts = Counter(weighted_terms(query))
    known = {term: count * index.bm25.idf(term) for term, count in counts.items() if index.bm25.known([term])}
    return dict(sorted(known.items(), key=lambda pair: -pair[1])[:MOST_TERMS])


def _standing(weights: dict[str, float], text: str) -> list[str]:
    held = set(indexed_terms(text))
    return [term for term in weights if term in held]
