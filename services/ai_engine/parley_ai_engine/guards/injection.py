"""Marks text that speaks to the machine instead of asking or informing. Pure.

A model cannot be relied on to tell data from orders, so what is marked never reaches one: a message is answered by the
quote, a passage is left out, a tool's result or the text of an image is withheld.
"""

import base64
import binascii
import re
import unicodedata
from pathlib import Path
from typing import Final

from parley_ai_engine.guards.words import INVISIBLE

_FILE: Final = Path(__file__).with_name("injection.txt")
_WORDS: Final = re.compile(r"([A-Z_]+) = (.+)")


def _read(text: str) -> list[tuple[str, re.Pattern[str]]]:
    """Kinds and patterns of the file beside this one."""
    words: dict[str, str] = {}
    found = []
    for line in text.splitlines():
        if match := _WORDS.fullmatch(line):
            words[match[1]] = match[2]
        elif line and not line.startswith("#"):
            kind, _, pattern = line.partition("  ")
            for name, told in words.items():
                pattern = pattern.replace(f"{{{name}}}", told)
            found.append((kind, re.compile(pattern, re.IGNORECASE | re.DOTALL)))
    return found


_COMPILED: Final = _read(_FILE.read_text(encoding="utf-8"))
_SPACED: Final = re.compile(r"(?<![A-Za-z])(?:[A-Za-z][ .\-_*]){3,}[A-Za-z](?![A-Za-z])")
_SPACED_HAN: Final = re.compile(r"(?<=[一-龥])[ .\-_*|/](?=[一-龥])")
_BLOB: Final = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_TURNS: Final = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_LEET: Final = str.maketrans("013457@$", "oieastas")


def mark(text: str) -> str:
    """What kind of order to the machine a text holds; empty when it holds none."""
    return next((name for reading in _readings(text) for name, found in _COMPILED if found.search(reading)), "")


def _readings(text: str) -> list[str]:
    """The text as it is, without disguises, and what is encoded in it."""
    plain = "".join(c for c in unicodedata.normalize("NFKC", text) if c not in INVISIBLE and not _tag(c))
    joined = _SPACED_HAN.sub("", _SPACED.sub(lambda match: re.sub(r"[^A-Za-z]", "", match[0]), plain))
    readings = [plain, joined] if joined != plain else [plain]
    if any(character in plain for character in "013457@$"):
        readings.append(joined.translate(_LEET))
    return readings + [told for blob in _BLOB.findall(plain) if (told := _decoded(blob))]


def _tag(character: str) -> bool:
    """Unicode's invisible copies of ASCII, and marks that turn the reading direction."""
    return (
        "\U000e0000" <= character <= "\U000e007f"
        or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )


def _decoded(blob: str) -> str:
    try:
        told = base64.b64decode(blob + "=" * (-len(blob) % 4), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    return told if told.isprintable() else ""
