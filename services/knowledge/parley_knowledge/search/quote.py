"""The sentences of a passage that answer best: what an extractive reply says."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from parley_knowledge.index import indexed_terms
from parley_knowledge.text import joined, sentences, units

HEADING: Final = "# "
LONGEST_WINDOW: Final = 3  # sentences that are weighed together
ENOUGH: Final = 30  # units; a shorter quote takes the following sentences of its paragraph along
MOST: Final = 160  # units
HEADING_WEIGHT: Final = 0.5  # a heading says what its sentences are about, not what they answer
LENGTH_COST: Final = 0.04  # per further sentence, in shares of the question: a longer quote must add something
_ITEM = re.compile(r"- |\d+\. ")


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a passage, and the share of the question that they cover, from 0 to 1."""

    text: str
    coverage: float


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    paragraph: int
    terms: frozenset[str]
    heading: frozenset[str]


def best_quote(text: str, weights: Mapping[str, float]) -> Quote:
    """Choose from a passage by the weight of each term of the question."""
    found = _sentences(text)
    if not found:
        return Quote("", 0.0)
    total = sum(weights.values()) or 1.0
    windows = [(b, e) for b in range(len(found)) for e in range(b + 1, min(b + LONGEST_WINDOW, len(found)) + 1)]
    begin, end = max(windows, key=lambda w: (_worth(found[w[0] : w[1]], weights, total), -w[0], -w[1]))
    covered = _covered(found[begin:end], weights) / total
    return Quote(_rendered(found[begin : _extended(found, begin, end)]), covered)


def plain(text: str) -> str:
    """A passage as it is shown: headings without their mark."""
    return "\n".join(line.removeprefix(HEADING) for line in text.split("\n"))


@lru_cache(maxsize=256)  # passages: some are asked for again and again
def _sentences(text: str) -> tuple[_Sentence, ...]:
    found: list[_Sentence] = []
    heading: frozenset[str] = frozenset()
    paragraph = 0
    for line in text.split("\n"):
        if line.startswith(HEADING):
            heading = frozenset(indexed_terms(line))
        if line.startswith(HEADING) or not line.strip():
            paragraph += 1
            continue
        found.extend(_Sentence(s, paragraph, frozenset(indexed_terms(s)), heading) for s in sentences(line))
    return tuple(found)


def _covered(window: Sequence[_Sentence], weights: Mapping[str, float]) -> float:
    return sum(weight for term, weight in weights.items() if any(term in s.terms for s in window))


def _worth(window: Sequence[_Sentence], weights: Mapping[str, float], total: float) -> float:
    above = sum(w for t, w in weights.items() if t in window[0].heading and not any(t in s.terms for s in window))
    split = sum(one.paragraph != other.paragraph for one, other in pairwise(window))
    share = (_covered(window, weights) + HEADING_WEIGHT * above) / total
    return share - LENGTH_COST * (len(window) - 1 + split)


def _extended(found: Sequence[_Sentence], begin: int, end: int) -> int:
    """Where the quote ends: with what a colon announces, and not before it is long enough to be understood."""
    length = sum(units(s.text) for s in found[begin:end])
    announced = False
    while end < len(found):
        before, after = found[end - 1], found[end]
        announced = before.text.endswith((":", "：")) or (announced and _is_item(after))
        wanted = announced or (length < ENOUGH and after.paragraph == before.paragraph and not _is_item(after))
        length += units(after.text)
        if not wanted or length > MOST:
            break
        end += 1
    return end


def _is_item(sentence: _Sentence) -> bool:
    return bool(_ITEM.match(sentence.text))


def _rendered(window: Sequence[_Sentence]) -> str:
    lines: list[list[str]] = []
    for before, sentence in zip([None, *window], window, strict=False):
        if before is None or before.paragraph != sentence.paragraph or _is_item(sentence):
            lines.append([])
        lines[-1].append(sentence.text)
    return "\n".join(joined(line) for line in lines)
