"""What a prompt says to the model is said to no visitor. Pure."""

import re
from functools import lru_cache
from typing import Final

from parley_ai_engine.guards.words import WordList

_TEMPLATE: Final = re.compile(r"\{[#%{].*?[#%}]\}", re.DOTALL)
_CLAUSE: Final = re.compile(r"[^。；，,.;:：\n]+")
_LEAST: Final = 24  # a clause of twelve Chinese characters, or four English words, is nobody's by chance


@lru_cache(maxsize=200)
def secrets_of(template: str, sentinel: str) -> WordList:
    """The clauses of a prompt's own words, and the word by which a model says that it is not sure."""
    clauses = [clause.strip() for clause in _CLAUSE.findall(_TEMPLATE.sub("\n", template))]
    return WordList([sentinel, *(clause for clause in clauses if _weight(clause) >= _LEAST)])


def _weight(text: str) -> int:
    return sum(1 if character.isascii() else 2 for character in text)
