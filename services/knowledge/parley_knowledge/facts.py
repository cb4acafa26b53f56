"""Key facts: what tables, prices, hours, contacts and definitions say, each with its cell or sentence. Pure.

A table's row is stored as a line of "header: cell" pairs (see ingest/markdown.py). Its first cell says what the row is
about, each other cell is a fact; a sentence is one where it holds a price, hours, a contact or a definition.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from parley_knowledge.index import Snapshot, indexed_terms
from parley_knowledge.search import Findings, content_terms
from parley_knowledge.text import sentences

LOOKED_AT: Final = 5  # passages
MOST: Final = 3  # facts that are told
ENOUGH: Final = 0.34  # of what is asked, by weight; below it a fact is about something else
KIND: Final = 0.15  # what a fact of the kind that is asked for gains
PASSAGE: Final = 0.1  # what a fact of the best passage gains over one of the last


class Kind(StrEnum):
    """What sort of question a fact answers."""

    PRICE = "price"
    HOURS = "hours"
    CONTACT = "contact"
    DEFINITION = "definition"
    CELL = "cell"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is stated, and where. `attribute` is the header of its cell; empty for a sentence."""

    kind: Kind
    subject: str
    attribute: str
    value: str
    line: int  # of its passage, from 0
    chunk_id: str = ""


_PAIR = re.compile(r"(?:^|; )([^;:：]{1,60}): ")
_MONEY = re.compile(
    r"[¥￥$€£]\s?\d"
    r"|\d\s?(?:元|块|万元|港币|欧元|美元|rmb|cny|usd|eur|gbp|hkd|dollars?|euros?|yuan|pounds?)\b",
    re.I,
)
_CLOCK = re.compile(
    r"\d{1,2}\s?[:：]\s?\d{2}|\b\d{1,2}\s?(?:am|pm|a\.m|p\.m)\b"
    r"|[一二三四五六七八九十\d]{1,3}点(?!\d)|全天|24 ?小时|closed|noon",
    re.I,
)
_CONTACT = re.compile(r"[\w.+-]+@[\w-]+\.\w+|(?<!\d)(?:\+?\d[\d ()-]{6,}\d)(?!\d)|https?://", re.I)
_NAMED: Final[Mapping[Kind, re.Pattern[str]]] = {
    kind: re.compile(words, re.I)
    for kind, words in {
        Kind.PRICE: "price|cost|fee|charge|rate|how much|价|费用|运费|多少钱|金额|手续费|租金",
        Kind.HOURS: "hours|open|close|weekend|when|day\\b|营业|开门|关门|几点|时间|周[一二三四五六日末]",
        Kind.CONTACT: "phone|tel|e-?mail|contact|call|address|reach|电话|邮箱|联系|微信|热线|地址|客服",
        Kind.DEFINITION: "what (?:is|are|does .+ mean)|definition|meaning of|什么是|是什么|定义|什么意思",
    }.items()
}
_DEFINED = re.compile(
    r"^(?P<en>[\w\s“”\"'-]{2,60}?) (?:means|is defined as|refers to|stands for) "
    r"|^(?P<zh>[^，。,.]{1,30}?)[，,]?(?:是指|指的是|即指)"
)


@lru_cache(maxsize=2048)  # passages: some are asked for again and again
def facts_in(text: str) -> tuple[Fact, ...]:
    """All facts of a passage."""
    return tuple(fact for number, line in enumerate(text.split("\n")) for fact in _of_line(number, line))


def _of_line(number: int, line: str) -> Iterator[Fact]:
    cells = cells_of(line)
    if len(cells) > 1:
        subject = cells[0][1]
        yield from (Fact(_kind_of(name, value), subject, name, value, number) for name, value in cells[1:])
        return
    if not line.startswith("# "):
        yield from (fact for sentence in sentences(line) if (fact := _of_sentence(number, sentence)))


def cells_of(line: str) -> list[tuple[str, str]]:
    """The headers and cells of a row's line; empty where it is none. A cell may hold colons and semicolons."""
    if line.startswith(("# ", "- ")):
        return []
    found = list(_PAIR.finditer(line))
    if len(found) < 2 or found[0].start() != 0:
        return []
    ends = [*(one.start() for one in found[1:]), len(line)]
    return [(one[1].strip(), line[one.end() : end].strip()) for one, end in zip(found, ends, strict=True)]


def _kind_of(name: str, value: str) -> Kind:
    if _MONEY.search(value) or _NAMED[Kind.PRICE].search(name):
        return Kind.PRICE
    if _CONTACT.search(value) or _NAMED[Kind.CONTACT].search(name):
        return Kind.CONTACT
    if _CLOCK.search(value):
        return Kind.HOURS
    return Kind.CELL


def _of_sentence(number: int, sentence: str) -> Fact | None:
    if defined := _DEFINED.match(sentence):
        return Fact(Kind.DEFINITION, (defined["en"] or defined["zh"]).strip(), "", sentence, number)
    for kind, pattern in ((Kind.CONTACT, _CONTACT), (Kind.PRICE, _MONEY), (Kind.HOURS, _CLOCK)):
        if pattern.search(sentence):
            return Fact(kind, "", "", sentence, number)
    return None


def answering(snapshot: Snapshot, query: str, findings: Findings) -> list[tuple[Fact, float]]:
    """The facts of the passages found that answer best, with how much of the question each covers, best first."""
    index = snapshot.languages.get(findings.language)
    if index is None:
        return []
    asked = {term: index.bm25.idf(term) for term in content_terms(query)}
    kinds = {kind for kind, pattern in _NAMED.items() if pattern.search(query)}
    quoted = _share(asked, [frozenset(indexed_terms(findings.quote))], frozenset())
    found: list[tuple[float, Fact]] = []
    for rank, hit in enumerate(findings.hits[:LOOKED_AT]):
        context = frozenset(indexed_terms(f"{hit.passage.record.title}\n{hit.passage.chunk.place}"))
        near = PASSAGE * (1 - rank / LOOKED_AT)
        for fact in facts_in(hit.passage.chunk.text):
            worth = _worth(fact, asked, context, fact.kind in kinds)
            if worth >= ENOUGH and (fact.attribute or _share(asked, [_terms(fact.value)], frozenset()) >= quoted):
                placed = Fact(fact.kind, fact.subject, fact.attribute, fact.value, fact.line, hit.passage.chunk_id)
                found.append((worth + near, placed))
    found.sort(key=lambda pair: -pair[0])  # stable: of equal ones the better passage's, then the earlier
    return [(fact, min(worth, 1.0)) for worth, fact in found[:MOST]]


def _worth(fact: Fact, asked: Mapping[str, float], context: frozenset[str], asked_kind: bool) -> float:
    """The share of the question that the fact covers; of a cell, by its subject and header and not by its value."""
    if fact.attribute:
        subject, attribute = _terms(fact.subject), _terms(fact.attribute)
        if not any(term in subject for term in asked):
            return 0.0
        covered = _share(asked, [subject, attribute], context)
        return covered + (KIND if asked_kind else 0.0) + _closeness(asked, attribute)
    return _share(asked, [_terms(fact.value)], context) + (KIND if asked_kind else 0.0)


def _share(asked: Mapping[str, float], held: Sequence[frozenset[str]], context: frozenset[str]) -> float:
    total = sum(asked.values()) or 1.0
    full = sum(weight for term, weight in asked.items() if any(term in one for one in held))
    half = sum(weight for term, weight in asked.items() if term in context and not any(term in one for one in held))
    return (full + half / 2) / total


def _closeness(asked: Mapping[str, float], attribute: frozenset[str]) -> float:
    """Of two headers that share a word with the question, the one with less beside it is meant."""
    shared = sum(term in attribute for term in asked)
    return 0.1 * shared / len(attribute) if attribute else 0.0


@lru_cache(maxsize=8192)  # headers and subjects stand in row after row
def _terms(text: str) -> frozenset[str]:
    return frozenset(indexed_terms(text))
