"""Concepts: one token for all the words that customers use for one thing, so that 邮费 finds what is said of 运费.

They are counted beside the words themselves, in documents and in questions alike, and join the two languages.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from parley_knowledge.index.tokens import normalised, terms
from parley_knowledge.text import CJK

MARK: Final = "§"  # begins every concept's token; no word of a text does
_CJK = re.compile(f"[{CJK}]")


@dataclass(frozen=True, slots=True)
class Thesaurus:
    """Which words name which concepts. The longest name wins, and each word names one concept at most."""

    chinese: Mapping[str, str]  # as written
    english: Mapping[tuple[str, ...], str]  # as stemmed terms
    # Where a name may begin, and the lengths of those that do, longest first. Most positions end here: one pattern of
    # all the names would try hundreds of them at each.
    chinese_begins: Mapping[str, tuple[int, ...]]
    english_begins: Mapping[str, tuple[int, ...]]

    def concepts(self, text: str, words: Sequence[str] | None = None) -> list[str]:
        """All that a text names. `words` are its terms, for those who have them already."""
        chinese, _ = self.chinese_in(normalised(text))
        return [*chinese, *self.english_in(terms(text) if words is None else words)[0]]

    def chinese_in(self, text: str) -> tuple[list[str], str]:
        """Concepts that normalised text names in Chinese, and the text without these names."""
        found: list[str] = []
        rest: list[str] = []
        done = 0
        for begin in [i for i, character in enumerate(text) if character in self.chinese_begins]:
            if begin >= done and (length := self._chinese_at(text, begin)):
                found.append(self.chinese[text[begin : begin + length]])
                rest.append(text[done:begin])
                done = begin + length
        return found, " ".join([*rest, text[done:]])

    def english_in(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """Concepts that a row of terms names in English, and the terms that name none."""
        found: list[str] = []
        rest: list[str] = []
        done = 0
        for begin in [i for i, word in enumerate(words) if word in self.english_begins]:
            if begin >= done and (length := self._english_at(words, begin)):
                found.append(self.english[tuple(words[begin : begin + length])])
                rest.extend(words[done:begin])
                done = begin + length
        return found, [*rest, *words[done:]]

    def _chinese_at(self, text: str, begin: int) -> int:
        """The length of the longest name that begins here; 0 for none."""
        lengths = self.chinese_begins[text[begin]]
        return next((n for n in lengths if text[begin : begin + n] in self.chinese), 0)

    def _english_at(self, words: Sequence[str], begin: int) -> int:
        lengths = self.english_begins[words[begin]]
        return next((n for n in lengths if tuple(words[begin : begin + n]) in self.english), 0)


def read_thesaurus(text: str) -> Thesaurus:
    """One concept a line, its names separated by commas; `#` begins a remark. A name belongs to its first line."""
    chinese: dict[str, str] = {}
    english: dict[tuple[str, ...], str] = {}
    for line in text.splitlines():
        names = [name.strip() for name in line.split("#")[0].split(",") if name.strip()]
        for name in names:
            if _CJK.search(name):
                chinese.setdefault(normalised(name), MARK + names[0])
            else:
                english.setdefault(tuple(terms(name)), MARK + names[0])
    return Thesaurus(chinese, english, _begins(chinese), _begins(english))


def _begins(names: Iterable[Sequence[str]]) -> dict[str, tuple[int, ...]]:
    lengths: dict[str, set[int]] = {}
    for name in names:
        lengths.setdefault(name[0], set()).add(len(name))
    return {first: tuple(sorted(some, reverse=True)) for first, some in lengths.items()}


@cache
def thesaurus() -> Thesaurus:
    """The general one that comes with the product."""
    return read_thesaurus(resources.files(__package__).joinpath("concepts.txt").read_text("utf-8"))


def indexed_terms(text: str) -> list[str]:
    """What is counted of a passage: its words and its concepts."""
    words = terms(text)
    return [*words, *thesaurus().concepts(text, words)]
