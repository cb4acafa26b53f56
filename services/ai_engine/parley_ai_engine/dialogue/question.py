"""What is being asked, put so that a search that knows no conversation can find it."""

import re
from collections.abc import Sequence

_FOLLOW_UP = re.compile(
    r"^\s*(那么?|还有|另外|这个|它|如果是|and\b|what about|how about|but\b|also\b|then\b|it\b|that\b)", re.IGNORECASE
)
_WORDS = re.compile(r"[\u3400-\u9fff]|[A-Za-z0-9]+")
SHORT = 4  # words or Chinese characters: too few to search with


def search_query(asked: Sequence[str], earlier: Sequence[str]) -> str:
    """The messages of one turn as one query; a follow-up takes the visitor's previous question with it."""
    question = " ".join(text.strip() for text in asked if text.strip())
    needs_more = len(_WORDS.findall(question)) < SHORT or _FOLLOW_UP.match(question)
    previous = earlier[-1].strip() if earlier and needs_more else ""
    return f"{previous} {question}".strip()
