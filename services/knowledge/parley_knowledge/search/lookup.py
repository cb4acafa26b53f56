"""What a question is looked up by. A long one, such as a customer's whole story, is taken sentence by sentence.

In one sum over all words of a story its small talk outweighs its points.
"""

from collections.abc import Sequence
from typing import Final

from parley_knowledge.search.query import content_terms, weighted_terms
from parley_knowledge.text import sentences, units

LONG: Final = 60  # units; nobody asks one thing in more
MOST_SENTENCES: Final = 64
FUSION_K: Final = 60  # Cormack, Clarke and Büttcher, SIGIR 2009


def looked_up(query: str) -> list[tuple[str, ...]]:
    """The terms of each thing that a question says; of a short one all together."""
    said = sentences(query) if units(query) > LONG else []
    return [content_terms(one) for one in said[:MOST_SENTENCES]] if len(said) > 1 else [weighted_terms(query)]


def fused(rankings: Sequence[Sequence[int]], limit: int) -> list[tuple[int, float]]:
    """Several rankings in one by reciprocal ranks: scores of different kinds are never compared."""
    scored: dict[int, float] = {}
    for ranking in rankings:
        for rank, position in enumerate(ranking, 1):
            scored[position] = scored.get(position, 0.0) + 1 / (FUSION_K + rank)
    return sorted(scored.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
