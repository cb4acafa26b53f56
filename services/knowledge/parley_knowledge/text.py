"""Facts about text that reading, indexing and searching share: scripts, languages, sentences, lengths."""

import re
from typing import Final

# Scripts written without spaces: kana, Han with its extension A and compatibility block, Hangul syllables.
CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
LANGUAGES: Final = ("zh", "en")

_UNIT = re.compile(f"[{CJK}]|[^\\W_{CJK}]+")
_CJK_CHARACTER = re.compile(f"[{CJK}]")
_END = re.compile(
    r"(?<=[。！？；])(?![”’」』）)])|(?<=[。！？；][”’」』）)])"  # Chinese ends, with the closing quote or bracket
    r"|(?<=[.!?])\s+(?=[\"'“‘(\[]?[A-Z0-9])|(?<=[.!?][\"')”’\]])\s+(?=[A-Z0-9])"  # English ones, before a capital
    r"|\n+"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|st|no|nos|vs|etc|inc|ltd|co|approx|e\.g|i\.e|a\.m|p\.m)|\b[a-z])\.$", re.I
)
ZH_SHARE: Final = 0.2  # of all units: "iPhone 15 Pro Max 保修多久" is Chinese, an English page that names 微信 is not


def units(text: str) -> int:
    """Length in characters of Chinese plus words of everything else: about the tokens of a language model."""
    return len(_UNIT.findall(text))


def language_of(text: str) -> str:
    """`zh` or `en`, by script; text without either counts as English."""
    all_units = units(text)
    return "zh" if all_units and len(_CJK_CHARACTER.findall(text)) >= ZH_SHARE * all_units else "en"


def language_from(label: str, text: str) -> str:
    """The language that a label such as `zh-CN` names; found from the text when it names none of ours."""
    primary = label.strip().lower().replace("_", "-").split("-")[0]
    return primary if primary in LANGUAGES else language_of(text)


def sentences(text: str) -> list[str]:
    """Cut text into sentences; a new line always ends one. Nothing but white space is lost."""
    found: list[str] = []
    for part in _END.split(text):
        piece = part.strip()
        if not piece:
            continue
        if found and _ABBREVIATION.search(found[-1]) and f"{found[-1]} {piece}" in text:
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return found


def joined(pieces: list[str]) -> str:
    """Put sentences of one paragraph together again: a space between English ones, none between Chinese ones."""
    text = ""
    for piece in pieces:
        gap = " " if text and not (_CJK_END.search(text) or _CJK_START.match(piece)) else ""
        text += gap + piece
    return text


_CJK_END = re.compile(f"[{CJK}，。！？；：、”’」』）]$")
_CJK_START = re.compile(f"[{CJK}“‘「『（]")
