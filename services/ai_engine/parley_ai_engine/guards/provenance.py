"""Holds an answer to its sources: a number, date, time or code that stands in none of them is never shown. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from parley_ai_engine.guards.facts import COUNT, Fact, facts_in
from parley_ai_engine.guards.units import NUMBER_WORDS
from parley_ai_engine.guards.words import Blocked

LONGEST: Final = 240  # characters of a clause that are waited for
_CONTEXT: Final = 24
# After these a clause is complete; a point, comma or colon between digits is part of a number.
_END: Final = re.compile(r"[，。！？；\n]|[,.!?;:](?=[^\dA-Za-z@])")
_ZH_CLAIM: Final = re.compile(r"[\d０-９零〇一二两三四五六七八九十百千万半周月¥￥$€£%]|星期|礼拜")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_@.+'-]+")
_DENIES: Final = re.compile(
    r"不|没|无法|\bnot\b|n't\b|\bcannot\b|\bno longer\b|\bunfortunately\b|\bnever\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Support:
    """What an answer may state: all facts of its sources, and some of the visitor's own words.

    The visitor's codes and counts may be said back. Their periods, sums, dates and percentages may only be denied:
    that a visitor names thirty days makes them no promise of ours.
    """

    known: frozenset[Fact] = frozenset()
    asked: frozenset[Fact] = frozenset()

    @staticmethod
    def of(sources: Iterable[str], asked: Iterable[str]) -> "Support":
        """Read passages and tool results, and what the visitor wrote."""
        known = frozenset(fact for text in sources for fact in _source_facts(text))
        return Support(known, frozenset(fact for text in asked for fact in facts_in(text)))

    def unsupported(self, clause: str) -> list[Fact]:
        """The facts of a clause that stand nowhere."""
        return [fact for fact in facts_in(clause) if not self._holds(fact, denied=bool(_DENIES.search(clause)))]

    def _holds(self, fact: Fact, *, denied: bool) -> bool:
        if any(_same(fact, known) for known in self.known):
            return True
        return (denied or fact.kind in {"", "code", COUNT}) and any(_same(fact, asked) for asked in self.asked)


@lru_cache(maxsize=2000)  # passages come again and again, and reading one takes about a millisecond
def _source_facts(text: str) -> tuple[Fact, ...]:
    return tuple(facts_in(text, source=True))


def _same(fact: Fact, known: Fact) -> bool:
    """One value; where one side names no unit, the written number decides."""
    if fact.kind == known.kind:
        return bool(fact.values & known.values)
    unnamed = fact.kind == "" or (known.kind == "" and fact.kind != "percent")
    return unnamed and fact.plain != "" and fact.plain == known.plain


class ProvenanceFilter:
    """One answer on its way. A clause that may state something is held until it is whole; others pass at once."""

    def __init__(self, support: Support) -> None:
        self._support = support
        self._held = ""
        self._before = ""  # what was shown of the clause that is being written

    def write(self, text: str) -> str:
        """What may be shown now. Raises Blocked."""
        self._held += text
        ends = [match.end() for match in _END.finditer(self._held)]
        whole = ends[-1] if ends else 0
        if whole:
            self._judge(self._held[:whole])
        if len(self._held) - whole > LONGEST:
            self._judge(self._held)
            whole = len(self._held)
        return self._release(max(whole, whole + _first_claim(self._held[whole:])))

    def finish(self) -> str:
        """The rest. Raises Blocked."""
        self._judge(self._held)
        return self._release(len(self._held))

    def _judge(self, text: str) -> None:
        for clause in _clauses(self._before + text):
            if self._support.unsupported(clause):
                raise Blocked("provenance")

    def _release(self, cut: int) -> str:
        ready, self._held = self._held[:cut], self._held[cut:]
        shown = self._before + ready
        self._before = shown[max((match.end() for match in _END.finditer(shown)), default=0) :][-_CONTEXT:]
        return ready


def _clauses(text: str) -> list[str]:
    """Sentences' parts, each with its end."""
    cuts = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    return [text[left:right] for left, right in pairwise(cuts) if right > left]


def _first_claim(tail: str) -> int:
    """Where something begins that may become a number, date or code; an open word may become anything."""
    claim = _ZH_CLAIM.search(tail)
    first = claim.start() if claim else len(tail)
    for token in _TOKEN.finditer(tail):
        claims = any(c.isdigit() or c == "@" for c in token[0]) or token[0].lower().strip(".'-") in NUMBER_WORDS
        if claims or token.end() == len(tail):
            return min(first, token.start())
    return first
