"""How many tokens a question will cost, before its vendor has counted them. Pure.

A Chinese character is at most a token or so in today's vocabularies, a Latin word about one for every four letters,
digits one for every three; a picture costs what the dearest common tile costs. Meant to be rather too much
than too little: the reservation is settled by what the vendor reports.
"""

import re
from typing import Final

from parley_ai_engine.providers.port import Ask

_PIECES: Final = re.compile(r"[\u3400-\u9fff]|[A-Za-z]+|[0-9]+|[^\sA-Za-z0-9\u3400-\u9fff]")
PER_MESSAGE: Final = 4
PER_PICTURE: Final = 1100


def tokens_of(text: str) -> int:
    """Tokens of a text."""
    return sum(_weight(piece) for piece in _PIECES.findall(text))


def prompt_tokens(ask: Ask) -> int:
    """Tokens of everything that is sent."""
    said = sum(PER_MESSAGE + tokens_of(m.text) + PER_PICTURE * len(m.pictures) for m in ask.messages)
    said += sum(tokens_of(call.arguments) + PER_MESSAGE for message in ask.messages for call in message.calls)
    return said + sum(tokens_of(f"{t.name} {t.description} {dict(t.schema)}") for t in ask.tools)


def _weight(piece: str) -> int:
    if piece[0].isascii() and piece[0].isalpha():
        return -(-len(piece) // 4)
    return -(-len(piece) // 3) if piece[0].isdigit() else 1


def clip(text: str, most: int) -> str:
    """The beginning of a text, of at most so many tokens."""
    for piece in _PIECES.finditer(text):
        most -= _weight(piece[0])
        if most < 0:
            return text[: piece.start()]
    return text
