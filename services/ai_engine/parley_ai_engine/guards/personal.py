"""Puts placeholders where a visitor's personal data stands, before a model reads it, and the data back into its answer.

`[PHONE_1]` is the same value in every round of one prompt. What has check digits is checked, so that a number that is
no card is left alone. Pure.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643
_ID_CHECKS: Final = "10X98765432"
_SURNAME: Final = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏"
    "苏吕丁沈任姚卢钟崔谭陆范汪石廖贾韦夏付方邹熊白孟秦"
)
_STREET: Final = "Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Boulevard|Blvd|Square|Way|Court"
_LONGEST: Final = 24  # of a placeholder


def _id_card(digits: str) -> bool:
    total = sum(int(digit) * weight for digit, weight in zip(digits, _ID_WEIGHTS, strict=False))
    return len(digits) == 18 and digits[:17].isdigit() and _ID_CHECKS[total % 11] == digits[17].upper()


def _luhn(told: str) -> bool:
    digits = [int(digit) for digit in reversed(re.sub(r"\D", "", told))]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return 13 <= len(digits) <= 19 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _any(_: str) -> bool:
    return True


# In this order: what one takes, no later one sees. The group `it` is the value where the pattern has one.
_KINDS: Final[tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...]] = (
    ("EMAIL", re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"), _any),
    ("ID", re.compile(r"(?<![0-9A-Za-z])\d{17}[\dXx](?![0-9A-Za-z])"), _id_card),
    ("CARD", re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)"), _luhn),
    ("PHONE", re.compile(r"(?<![\dA-Za-z])(?:(?:\+|00)?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?!\d)"), _any),
    ("PHONE", re.compile(r"(?<!\d)0\d{2,3}[- ]\d{7,8}(?!\d)"), _any),
    ("PHONE", re.compile(r"(?<![\dA-Za-z])\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}(?!\d)"), _any),
    ("PHONE", re.compile(r"(?<![\d-])(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}(?![\d-])"), _any),
    (
        "ORDER",
        re.compile(
            r"(?:订单(?:编?号)?|单号|运单号?|快递号|order(?: number| no\.?| id)?|tracking(?: number)?)"
            r"\s*(?:是|为|is|[:：#])?\s*#?(?P<it>(?=[A-Z0-9-]*\d{3})[A-Z0-9][A-Z0-9-]{4,31})",
            re.IGNORECASE,
        ),
        _any,
    ),
    ("ORDER", re.compile(r"(?<![A-Za-z0-9])[A-Z]{1,4}-?\d{8,20}(?![A-Za-z0-9])"), _any),
    ("ORDER", re.compile(r"(?<![\dA-Za-z-])\d{12,24}(?![\dA-Za-z-])"), _any),
    (
        "ADDRESS",
        re.compile(
            r"(?:[一-龥]{2,8}?(?:省|自治区))?(?:[一-龥]{2,6}?[市州盟])?(?:[一-龥]{1,6}?[区县旗])?(?:[一-龥]{2,8}?[镇乡])?"
            r"[一-龥]{2,10}?(?:路|街|大道|巷|弄|胡同)\s?(?:\d+\s?号?|[一二三四五六七八九十]+\s?号)"
            r"(?:[一-龥]{0,12}?\s?[\dA-Za-z一二三四五六七八九十]+\s?(?:号楼|栋|幢|座|单元|层|楼|室|号|户))*"
        ),
        _any,
    ),
    (
        "ADDRESS",
        re.compile(rf"\b\d{{1,5}} (?:[A-Z][a-z]+ ){{1,3}}(?:{_STREET})\b\.?(?:,? (?:Apt|Unit|Flat) \w+)?"),
        _any,
    ),
    (
        "NAME",
        re.compile(rf"(?:我叫|我是|姓名[:：是]?|收件人[:：是]?)\s?(?P<it>[{_SURNAME}][一-龥]{{1,2}})(?![一-龥])"),
        _any,
    ),
    ("NAME", re.compile(r"\b(?:[Mm]y name is|I am called) (?P<it>[A-Z][a-z]+(?: [A-Z][a-z]+){0,2})"), _any),
)
_PLACEHOLDER: Final = re.compile(r"\[(?:EMAIL|ID|CARD|PHONE|ORDER|ADDRESS|NAME)_\d{1,3}\]")


@dataclass
class Personal:
    """The personal data of one turn. `public` is what stands in our own documents: our hotline is nobody's secret."""

    public: str = ""
    _values: dict[str, str] = field(default_factory=dict)  # placeholder -> value
    _places: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """What was found, without the values: EMAIL, PHONE."""
        return sorted({kind for kind, _ in self._places})

    def hide(self, text: str) -> str:
        """The text with placeholders."""
        for kind, pattern, valid in _KINDS:
            text = pattern.sub(lambda match, kind=kind, valid=valid: self._place(kind, match, valid), text)  # type: ignore[misc]
        return text

    def restore(self, text: str) -> str:
        """The text with the values; a placeholder that was never given out stays."""
        return _PLACEHOLDER.sub(lambda match: self._values.get(match[0], match[0]), text)

    def _place(self, kind: str, match: re.Match[str], valid: Callable[[str], bool]) -> str:
        value = match["it"] if "it" in match.re.groupindex else match[0]
        if not valid(value) or (self.public and value in self.public):
            return match[0]
        known = self._places.get((kind, value))
        if known is None:
            number = 1 + sum(kind == other for other, _ in self._places)
            known = self._places[kind, value] = f"[{kind}_{number}]"
            self._values[known] = value
        return match[0].replace(value, known)


def without_personal(texts: Iterable[str]) -> tuple[str, ...]:
    """For a search: what is personal finds nothing, and need not travel."""
    return tuple(_PLACEHOLDER.sub(" ", Personal().hide(text)).strip() for text in texts)


class Restorer:
    """One answer on its way; an open bracket is held until it is closed or can be no placeholder."""

    def __init__(self, personal: Personal) -> None:
        self._personal = personal
        self._held = ""

    def write(self, text: str) -> str:
        """What may go on now."""
        self._held += text
        opened = self._held.rfind("[")
        tail = self._held[opened:] if opened >= 0 else ""
        cut = opened if tail and "]" not in tail and len(tail) <= _LONGEST else len(self._held)
        ready, self._held = self._held[:cut], self._held[cut:]
        return self._personal.restore(ready)

    def finish(self) -> str:
        """The rest."""
        ready, self._held = self._held, ""
        return self._personal.restore(ready)
