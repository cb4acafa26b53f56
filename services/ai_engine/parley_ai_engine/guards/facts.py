"""Finds the numbers, dates, times, addresses and codes in a text, as values that can be compared. Pure.

「七天」, "7 days" and "a week" said with a number are one value; so are 「8 折」 and "20% off". Chinese numerals and
number words count only before a unit, since 「一起」 and "one of them" state nothing.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from parley_ai_engine.guards import units

COUNT: Final = units.COUNT
_D: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_NUM: Final = rf"(?:{_D})\s?[万千百k]?(?![A-Za-z])|(?:{_D})|{units.ZH_NUMERAL}|{units.EN_NUMERAL}"
_TO: Final = r"\s*(?:-|–|—|~|至|到|或者?|、|to|or|and)\s*"
_MONTH: Final = "(?-i:" + "|".join(month.title() for month in units.MONTHS) + ")"  # may is a verb, May a month
_DAY: Final = "|".join(units.WEEKDAYS)
_PART: Final = "凌晨|早上|上午|中午|下午|傍晚|晚上"

_IGNORED: Final = re.compile(  # numbers that count the answer's own lines, steps and sources, and names of days
    r"(?m)^\s*[(（]?\d{1,2}[.)）、](?=\s|[^\d])|\[\d{1,2}\]"
    r"|第[\d一二三四五六七八九十]+(?:[步点条章节天次个]|方面)?|步骤\s*\d+|\bstep \d+"
    r"|双十[一二]|双1[12]|Double 1[12]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One value. `kind` is code, date, time, weekday, month, count, or a unit's dimension; `""` where nothing is said.

    `values` are all readings: a date with and without its year, nine o'clock in the morning and in the evening.
    `plain` is the number as it is written, to compare where one side names no unit.
    """

    kind: str
    values: frozenset[str]
    plain: str = ""


def facts_in(text: str, *, source: bool = False) -> list[Fact]:
    """All of a text, each once. A `source` also supports what it says without a unit or number: three, the hour."""
    left = _IGNORED.sub(" ", unicodedata.normalize("NFKC", _without_circled(text)))
    found: list[Fact] = []
    for pattern, read in _READERS + (_SOURCE_READERS if source else ()):
        for match in reversed(list(pattern.finditer(left))):  # what one reader took, no other reads
            found += read(match)
            left = left[: match.start()] + "\x00" * (match.end() - match.start()) + left[match.end() :]
    return list(dict.fromkeys(found))


def _without_circled(text: str) -> str:
    return "".join(" " if "\u2460" <= character <= "\u24ff" else character for character in text)


def _code(match: re.Match[str]) -> Iterator[Fact]:
    yield Fact("code", frozenset({re.sub(r"[-_ ]", "", match[0]).casefold()}))


def _digits(match: re.Match[str]) -> Iterator[Fact]:
    whole = re.sub(r"\D", "", match[0])
    yield Fact("code", frozenset({whole}), whole.lstrip("0"))


def _date(match: re.Match[str]) -> Iterator[Fact]:
    told = match.groupdict()
    month, year = _month(told["month"]), told.get("year") or ""
    day = _whole(re.sub(r"[a-z]+$", "", told.get("day") or ""))
    if day and (last := told.get("last")):
        yield Fact("date", frozenset({f"{month}-{_whole(last)}"}))
    if day:
        yield Fact("date", frozenset({f"{month}-{day}", f"{year}-{month}-{day}"} if year else {f"{month}-{day}"}))
    else:
        yield Fact("month", frozenset({str(month)}))
    if year:
        yield Fact("", frozenset({year}), year)


def _month(told: str) -> int:
    return units.MONTHS.get(told[:3].lower(), 0) or _whole(told)


def _whole(told: str) -> int:
    value = units.value_of(told) if told else None
    return int(value) if value is not None else 0


def _time(match: re.Match[str]) -> Iterator[Fact]:
    told = match.groupdict()
    hour, minute = _whole(told["hour"]), 30 if told.get("minute") == "半" else _whole(told.get("minute") or "")
    part = (told.get("part") or "").lower().replace(".", "")
    later = part in {"pm", "下午", "傍晚", "晚上", "中午"}
    if later and hour < 12 and not (part == "中午" and hour > 10):
        hour += 12
    hours = {hour} if part or hour > 12 or told.get("exact") else {hour, hour + 12}
    yield Fact("time", frozenset(f"{one % 24 if one < 25 else one}:{minute:02}" for one in hours))


def _weekday(match: re.Match[str]) -> Iterator[Fact]:
    yield Fact("weekday", frozenset({units.weekday(match["day"])}))


def _money(match: re.Match[str]) -> Iterator[Fact]:
    for told in (match["first"], match["second"]):
        if told and (value := units.value_of(told)) is not None:
            yield Fact(units.MONEY[match["sign"].upper()], frozenset({str(value)}), str(value))


def _percent(match: re.Match[str]) -> Iterator[Fact]:
    value = units.value_of(match["number"])
    if value is not None:
        yield Fact("percent", frozenset({str(value)}), str(value))


def _discount(match: re.Match[str]) -> Iterator[Fact]:
    """「98 折」 is 98 of a hundred, and 2 % off; 「八折」 is 80, and 20 % off."""
    value = units.value_of(match["number"])
    if value is not None:
        kept = value * 10 if value < 10 else value
        yield Fact("percent", frozenset({str(kept), str(100 - kept)}), str(value))


def _off(match: re.Match[str]) -> Iterator[Fact]:
    value = units.value_of(match["number"])
    if value is not None:
        yield Fact("percent", frozenset({str(value), str(100 - value)}), str(value))


def _half(match: re.Match[str]) -> Iterator[Fact]:
    dimension, size = units.unit(match["unit"])
    yield Fact(dimension, frozenset({str(size / 2)}), "1/2")


def _one(match: re.Match[str]) -> Iterator[Fact]:
    dimension, size = units.unit(match["unit"])
    yield Fact(dimension, frozenset({str(size)}), "1")


def _measure(match: re.Match[str]) -> Iterator[Fact]:
    """A number, or a range of two, before a unit: 3 至 5 天."""
    dimension, size = units.unit(match["unit"])
    for told in (match["first"], match["second"]):
        value = units.value_of(told) if told else None
        if value is None:
            continue
        if dimension == COUNT and (value == 1 or (value == 2 and not told[0].isdigit())):
            continue  # 1 次, 两家: once and both are not always written with a number
        if dimension == "months" and size == 12 and value >= 1900:
            yield Fact("", frozenset({str(value)}), str(value))
        else:
            yield Fact(dimension, frozenset({str(Fraction(value) * size)}), str(value))


def _count(match: re.Match[str]) -> Iterator[Fact]:
    """A number before a word that is no unit: 120 cities."""
    for fact in _number(match):
        if fact.plain != "1":
            yield Fact(COUNT, fact.values, fact.plain)


def _number(match: re.Match[str]) -> Iterator[Fact]:
    value = units.value_of(match[0])
    if value is not None:
        yield Fact("", frozenset({str(value)}), str(value))


_Reader = tuple[re.Pattern[str], Callable[[re.Match[str]], Iterator[Fact]]]


def _reader(pattern: str, read: Callable[[re.Match[str]], Iterator[Fact]]) -> _Reader:
    return re.compile(pattern, re.IGNORECASE), read


_ZH: Final = units.ZH_NUMERAL
_N: Final = rf"(?:\d{{1,2}}|{_ZH})"
_NTH: Final = r"\d{1,2}(?:st|nd|rd|th)?"
_IN_MONTH: Final = rf"(?P<month>{_MONTH})[a-z]*"
_YEAR: Final = r"(?:,? (?P<year>\d{4}))?"
_MINUTE: Final = r"(?P<minute>半|[1-5]?\d(?=分)|[1-5]\d)?"
_OF_HUNDRED: Final = rf"(?P<number>{_D}|{units.EN_NUMERAL})\s?(?:%|percent|per cent)"
_READERS: Final[tuple[_Reader, ...]] = (
    _reader(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}", _code),
    _reader(r"(?<!\d)(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)", _date),
    _reader(
        rf"(?:(?P<year>\d{{4}})\s?年\s?)?(?P<month>{_N})\s?月\s?"
        rf"(?P<day>{_N})\s?[日号]?(?:{_TO}(?P<last>\d{{1,2}}))?\s?[日号]",
        _date,
    ),
    _reader(r"(?P<year>\d{4})\s?年\s?(?P<month>\d{1,2})\s?月", _date),
    _reader(r"(?<![\d个])(?P<month>\d{1,2}|十[一二]?|[一二三四五六七八九])\s?月(?!饼)", _date),
    _reader(rf"\b{_IN_MONTH}\.? (?P<day>{_NTH})\b{_YEAR}", _date),
    _reader(rf"\b(?P<last>\d{{1,2}}){_TO}(?P<day>\d{{1,2}}) {_IN_MONTH}\b", _date),
    _reader(rf"\b(?P<day>{_NTH})(?: of)? {_IN_MONTH}\b{_YEAR}", _date),
    _reader(rf"\b{_IN_MONTH},? (?P<year>\d{{4}})\b", _date),
    _reader(rf"\b(?:in|of|until|by|since|every) {_IN_MONTH}\b", _date),
    _reader(rf"(?P<part>{_PART})?\s?(?P<hour>\d{{1,2}})(?P<exact>:)(?P<minute>\d{{2}})(?!\s?[ap]\.?m\b)", _time),
    _reader(rf"(?P<part>{_PART})?\s?(?P<hour>{_N})\s?[点时](?:钟|整)?{_MINUTE}", _time),
    _reader(r"\b(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s?(?P<part>[ap]\.?m\b|o'clock)", _time),
    _reader(r"(?:周|星期|礼拜)(?P<day>[一二三四五六日天])(?![次回天周])", _weekday),
    _reader(rf"\b(?P<day>{_DAY})[a-z]*\b", _weekday),
    _reader(r"(?<![A-Za-z0-9])(?=[A-Z0-9_-]*\d{2})[A-Z]{1,10}[-_]?\d[A-Z0-9_-]{2,}(?![A-Za-z0-9])", _code),
    _reader(r"(?<![\d.])\+?(?=(?:[- ]?\d){7,})\d+(?:[- ]\d+)+(?!\d|\.\d)", _digits),
    _reader(
        rf"(?P<sign>[¥$€£]|\b(?:RMB|CNY|USD|EUR|GBP)\b)\s?(?P<first>{_D})"
        rf"(?:{_TO}[¥$€£]?(?P<second>{_D})(?![\d.%]|\s?[A-Za-z折天]))?",
        _money,
    ),
    _reader(rf"{_OF_HUNDRED}\s?(?:off|discount|cheaper)", _off),
    _reader(_OF_HUNDRED, _percent),
    _reader(rf"百分之(?P<number>{_D}|{_ZH})", _percent),
    _reader(rf"(?P<number>{_D}|{_ZH})\s?折(?!叠|断|返|磨)", _discount),
    _reader(rf"(?:半个?|half an? )(?P<unit>{units.UNIT})", _half),
    _reader(
        rf"(?<![\d.第])(?P<first>{_NUM})(?:{_TO}(?P<second>{_NUM}))?[\s-]?"
        rf"(?:(?:full|whole|more|further|free) )?(?P<unit>{units.UNIT})",
        _measure,
    ),
    _reader(rf"(?:{_D})(?= ?[A-Za-z一-龥])", _count),
    _reader(rf"(?:{_D})\s?[万千百]?", _number),
)
_SOURCE_READERS: Final[tuple[_Reader, ...]] = (
    _reader(rf"\b(?:an?|the|per|each|every|last|first|next|further|about) (?P<unit>{units.UNIT})", _one),
    _reader(rf"(?:每|每个|首|前|半)(?P<unit>{units.UNIT})", _one),
    _reader(rf"{units.EN_NUMERAL}|{_ZH}", _number),
)
