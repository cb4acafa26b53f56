"""The stand-in's own tokens: a Chinese character is one, a word one per four letters, digits one per three."""

import json
import re
from collections.abc import Iterable
from typing import Any

_PIECES = re.compile(r"[\u3400-\u9fff]|[A-Za-z]+|[0-9]+|[^\sA-Za-z0-9\u3400-\u9fff]")
PER_MESSAGE = 4
PER_PICTURE = 85


def count_tokens(text: str) -> int:
    """Tokens of a text."""
    return sum(map(_weight, _PIECES.findall(text)))


def count_prompt(messages: Iterable[Any], *extra: Any) -> int:
    """Tokens of a vendor's messages, with tools and the like as JSON text."""
    said = sum(PER_MESSAGE + _content(m.get("content")) for m in messages if isinstance(m, dict))
    return said + sum(count_tokens(json.dumps(part, ensure_ascii=False)) for part in extra if part)


def _weight(piece: str) -> int:
    if piece[0].isascii() and piece[0].isalpha():
        return -(-len(piece) // 4)
    return -(-len(piece) // 3) if piece[0].isdigit() else 1


def _content(content: Any) -> int:
    if isinstance(content, str):
        return count_tokens(content)
    return sum(_part(part) for part in content or () if isinstance(part, dict))


def _part(part: dict[str, Any]) -> int:
    if part.get("type") in {"image", "image_url"}:
        return PER_PICTURE
    return count_tokens(str(part.get("text") or part.get("content") or ""))
