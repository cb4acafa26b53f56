"""Numerals and units in Chinese and English, and what they are worth. Pure data and small conversions."""

import re
from fractions import Fraction
from typing import Final

MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
WEEKDAYS: Final = {
    "monday": "1", "tuesday": "2", "wednesday": "3", "thursday": "4", "friday": "5", "saturday": "6", "sunday": "7",
}  # fmt: skip
_ZH_WEEKDAYS: Final = {"一": "1", "二": "2", "三": "3", "四": "4", "五": "5", "六": "6", "日": "7", "天": "7"}
MONEY: Final = {
    "¥": "yuan", "RMB": "yuan", "CNY": "yuan", "$": "usd", "USD": "usd", "€": "eur", "EUR": "eur", "£": "gbp",
    "GBP": "gbp",
}  # fmt: skip

COUNT: Final = "count"  # of things; their number must stand in the evidence too, whatever they are called there
_DAY: Final = 1440
_UNITS: Final[dict[str, tuple[str, Fraction]]] = {
    pattern: (dimension, Fraction(size))
    for pattern, dimension, size in (
        (r"分钟|minutes?\b|mins?\b", "minutes", 1),
        (r"个?半?小时|个?钟头|hours?\b|hrs?\b|h\b", "minutes", 60),
        (r"个?工作日|(?:working|business) days?\b", "workdays", 1),
        (r"天|日(?!元)|days?\b", "minutes", _DAY),
        (r"个?星期(?![一二三四五六日天])|周(?![一二三四五六日年岁])|个?礼拜|weeks?\b", "minutes", 7 * _DAY),
        (r"个月|months?\b", "months", 1),
        (r"年|years?\b(?! old| of age)", "months", 12),
        (r"秒钟?|seconds?\b", "seconds", 1),
        (r"元|块钱?|yuan\b|RMB\b|CNY\b", "yuan", 1),
        (r"dollars?\b|USD\b|美元", "usd", 1),
        (r"euros?\b|EUR\b|欧元", "eur", 1),
        (r"公斤|千克|kg\b|kilos?\b|kilograms?\b", "grams", 1000),
        (r"克|g\b|grams?\b", "grams", 1),
        (r"毫升|ml\b|millilit(?:re|er)s?\b", "millilitres", 1),
        (r"升|lit(?:re|er)s?\b", "millilitres", 1000),
        (r"厘米|cm\b", "millimetres", 10),
        (r"公里|千米|km\b", "millimetres", 1_000_000),
        (r"米|met(?:re|er)s?\b", "millimetres", 1000),
        (r"度|°C|℃|degrees?\b", "degrees", 1),
        (r"周?岁|years? old\b|years of age\b", COUNT, 1),
        (r"积分|points?\b", "points", 1),
    )
}
_COUNTED: Final = "个|件|次|盒|罐|张|只|台|家|座|位|款|级|倍|人|名"
UNIT: Final = "|".join((*_UNITS, f"(?:{_COUNTED})(?=[^一-龥]|[城市店卡包人月退免以可内能换上下，。]|$)"))
_COMPILED: Final = [(re.compile(rf"(?:{pattern})", re.IGNORECASE), worth) for pattern, worth in _UNITS.items()]

_ZH_DIGITS: Final = {
    "零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9,
}  # fmt: skip
_ZH_TENS: Final = {"十": 10, "百": 100, "千": 1000}
ZH_NUMERAL: Final = "[零〇一二两三四五六七八九十百千万]+"

_ONES: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_EN: Final = {word: value for value, word in enumerate(_ONES)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_EN_WORD: Final = "|".join(sorted(_EN, key=len, reverse=True))
EN_NUMERAL: Final = rf"\b(?:(?:{_EN_WORD})(?:[- ](?:{_EN_WORD}))?)(?: hundred)?\b|\ba hundred\b"
NUMBER_WORDS: Final = frozenset({*_EN, *MONTHS, *WEEKDAYS, "hundred", "half"})


def unit(told: str) -> tuple[str, Fraction]:
    """The dimension of a unit and what one of it is worth there; a count for everything else."""
    return next((worth for pattern, worth in _COMPILED if pattern.fullmatch(told)), (COUNT, Fraction(1)))


def weekday(told: str) -> str:
    """1 for Monday to 7 for Sunday."""
    return _ZH_WEEKDAYS.get(told) or WEEKDAYS[told.lower()]


def value_of(told: str) -> Fraction | None:
    """What a numeral is worth: 1,200, 3.5, 2万, 二十四, twenty-four. None where it is none."""
    told = told.strip().lower()
    if match := re.fullmatch(r"([\d,]+(?:\.\d+)?)\s?([万千百k]?)", told):
        many = {"": 1, "百": 100, "千": 1000, "k": 1000, "万": 10_000}[match[2]]
        return Fraction(match[1].replace(",", "")) * many if match[1].strip(",") else None
    return _english(told) if told[:1].isascii() else _chinese(told)


def _english(told: str) -> Fraction | None:
    hundred = told.endswith(" hundred")
    words = re.split(r"[- ]", told.removesuffix(" hundred"))
    if told == "a hundred":
        return Fraction(100)
    if not all(word in _EN for word in words):
        return None
    return Fraction(sum(_EN[word] for word in words) * (100 if hundred else 1))


def _chinese(told: str) -> Fraction | None:
    """Numerals up to 99,999,999: 一百二十, 两万, 二〇二六."""
    if not told or not set(told) <= {*_ZH_DIGITS, *_ZH_TENS, "万"}:
        return None
    if not set(told) & {*_ZH_TENS, "万"}:
        return Fraction("".join(str(_ZH_DIGITS[digit]) for digit in told))
    high, _, low = told.rpartition("万")
    return Fraction((_below(high) or 1 if "万" in told else 0) * 10_000 + _below(low))


def _below(told: str) -> int:
    total, digit = 0, 0
    for character in told:
        if character in _ZH_DIGITS:
            digit = _ZH_DIGITS[character]
        elif character in _ZH_TENS:
            total += (digit or 1) * _ZH_TENS[character]
            digit = 0
    return total + digit
