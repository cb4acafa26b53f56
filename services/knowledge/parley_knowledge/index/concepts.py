"""Concepts: one token for all the words that customers use for one thing, so that 邮费 finds what is said of 运费.

They are counted beside the words themselves, in documents and in questions alike, and join the two languages.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from parley_knowledge.index.tokens import normalised, terms
from parley_knowledge.text import CJK

MARK: Final = "§"  # begins every concept's token; no word of a text does
LONGEST: Final = 5  # words of an English phrase
_CJK = re.compile(f"[{CJK}]")


@dataclass(frozen=True, slots=True)
class Thesaurus:
    """Which words name which concepts. The longest name wins, and each word names one concept at most."""

    chinese: Mapping[str, str]  # as written
    english: Mapping[tuple[str, ...], str]  # as stemmed terms
    pattern: re.Pattern[str]  # of all Chinese names

    def concepts(self, text: str) -> list[str]:
        """All that a text names."""
        chinese, left = self.chinese_in(normalised(text))
        return [*chinese, *self.english_in(terms(left))[0]]

    def chinese_in(self, text: str) -> tuple[list[str], str]:
        """Concepts that normalised text names in Chinese, and the text without these names."""
        return [self.chinese[name] for name in self.pattern.findall(text)], self.pattern.sub(" ", text)

    def english_in(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """Concepts that a row of terms names in English, and the terms that name none."""
        found: list[str] = []
        rest: list[str] = []
        position = 0
        while position < len(words):
            length = self._name_at(words, position)
            if length:
                found.append(self.english[tuple(words[position : position + length])])
            else:
                rest.append(words[position])
            position += length or 1
        return found, rest

    def _name_at(self, words: Sequence[str], position: int) -> int:
        """How many terms from here on are a name; 0 when none begins here."""
        lengths = range(min(LONGEST, len(words) - position), 0, -1)
        return next((n for n in lengths if tuple(words[position : position + n]) in self.english), 0)


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
    longest_first = sorted(chinese, key=len, reverse=True)
    return Thesaurus(chinese, english, re.compile("|".join(map(re.escape, longest_first)) or r"(?!)"))


@cache
def thesaurus() -> Thesaurus:
    """The general one that comes with the product."""
    return read_thesaurus(resources.files(__package__).joinpath("concepts.txt").read_text("utf-8"))


def indexed_terms(text: str) -> list[str]:
    """What is counted of a passage: its words and its concepts."""
    return [*terms(text), *thesaurus().concepts(text)]
