"""Terms of a text: Chinese as characters and their bigrams, English stemmed, numbers and ids as they are."""

import re
import threading
import unicodedata
from functools import lru_cache
from typing import Any

from parley_knowledge.text import CJK

_WORD = f"[^\\W_{CJK}]"
# A run of Chinese, an id such as "SKU-1042" or "3.5" (kept whole as well as in parts), or a word with its apostrophe.
_RUNS = re.compile(f"(?P<cjk>[{CJK}]+)|(?P<id>{_WORD}+(?:[-./_]{_WORD}+)+)|(?P<word>{_WORD}+(?:['’]{_WORD}+)*)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_HAS_DIGIT = re.compile(r"\d")
_SEPARATORS = re.compile(r"[-./_]")
_of_thread = threading.local()


def normalised(text: str) -> str:
    """Full-width forms become half-width, capitals small, "1,000" becomes "1000"."""
    return _THOUSANDS.sub("", unicodedata.normalize("NFKC", text).lower())


def terms(text: str) -> list[str]:
    """What is counted and looked up, in the order of the text."""
    found: list[str] = []
    for run in _RUNS.finditer(normalised(text)):
        if cjk := run["cjk"]:
            found.extend(cjk)
            found.extend(cjk[i : i + 2] for i in range(len(cjk) - 1))
        elif identifier := run["id"]:
            found.extend(_id_terms(identifier))
        else:
            found.append(_stem(run["word"]))
    return found


def _id_terms(identifier: str) -> list[str]:
    parts = [_stem(part) for part in _SEPARATORS.split(identifier)]
    return [identifier, *parts] if _HAS_DIGIT.search(identifier) else parts


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    if _HAS_DIGIT.search(word):
        return word
    return str(_stemmer().stemWord(word.replace("’", "'")))


def _stemmer() -> Any:
    # A stemmer must not be shared by threads; making one costs a few microseconds.
    if not hasattr(_of_thread, "stemmer"):
        import Stemmer  # noqa: PLC0415 - not needed by those who only read documents

        _of_thread.stemmer = Stemmer.Stemmer("english")
    return _of_thread.stemmer
