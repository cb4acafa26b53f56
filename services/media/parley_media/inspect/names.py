"""File names as people may see them. A name is only ever shown: no path is made of it."""

import re
import unicodedata

LONGEST_NAME = 120  # characters
LONGEST_ENDING = 10
_JOINERS = "\u200c\u200d"  # needed in Persian words and in emoji; harmless, unlike the direction marks
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def clean_name(name: str) -> str:
    """The last part of a path, in NFC, without controls and direction marks, at most 120 characters, ending kept."""
    seen = "".join(c for c in name if c in _JOINERS or unicodedata.category(c) not in _UNSEEN)
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", seen))[-1].strip(" .")
    stem, dot, ending = last.rpartition(".")
    if not dot or len(ending) > LONGEST_ENDING:
        return last[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"


def ending_of(name: str) -> str:
    """`PNG` of `图片.PNG` in lower case; empty when there is none."""
    stem, dot, ending = name.rpartition(".")
    return ending.lower() if dot and stem and len(ending) <= LONGEST_ENDING else ""
