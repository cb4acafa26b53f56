"""Tables as Markdown: each row becomes a line with the headers of its columns, or a question with its answer."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.markdown import escaped

Row = Sequence[str]

_QUESTIONS: Final = frozenset({"question", "questions", "q", "faq", "问题", "问", "常见问题", "标准问题", "标准问"})
_ANSWERS: Final = frozenset({"answer", "answers", "a", "reply", "答案", "答", "回答", "回复", "标准答案"})
_NUMBER = re.compile(r"[-+¥$€£]?[\d.,:%/-]+\s?(?:元|%)?")


def markdown_of(rows: Sequence[Row]) -> str:
    """A table of Markdown; what stands above its headers, such as a title across the sheet, is text above it."""
    filled = [tuple(_cell(cell) for cell in row) for row in rows if any(cell.strip() for cell in row)]
    head = header_of(filled)
    above = "\n\n".join(" ".join(filter(None, row)) for row in filled[:head])
    table = _table(filled[head:])
    return f"{above}\n\n{table}".strip()


def header_of(rows: Sequence[Row]) -> int:
    """Which row holds the headers: the first that names at least two columns with words, else the first."""
    for number, row in enumerate(rows[:10]):
        named = [cell for cell in row if cell.strip()]
        if len(named) >= 2 and not any(_NUMBER.fullmatch(cell.replace("\\", "").strip()) for cell in named):
            return number
    return 0


def pairs_of(rows: Sequence[Row], uri: str) -> Iterator[Draft]:
    """A document for each question and answer, where that is what the columns are; else nothing."""
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    names = [cell.strip().lower() for cell in filled[0]] if filled else []
    asked = next((n for n, name in enumerate(names) if name in _QUESTIONS), None)
    answered = next((n for n, name in enumerate(names) if name in _ANSWERS), None)
    if asked is None or answered is None:
        return
    for number, row in enumerate(filled[1:], 2):
        question, answer = _at(row, asked), _at(row, answered)
        if question and answer:
            yield Draft(f"{uri}#{number}", question, escaped(answer))


def _at(row: Row, column: int) -> str:
    return row[column].strip() if column < len(row) else ""


def _cell(text: str) -> str:
    return escaped(" ".join(text.split()))


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    if len(rows) == 1:
        return " ".join(filter(None, rows[0]))
    width = max(len(row) for row in rows)
    lines = [_line(row, width) for row in rows]
    return "\n".join([lines[0], _line(["---"] * width, width), *lines[1:]])


def _line(row: Row, width: int) -> str:
    return f"| {' | '.join([*row, *[''] * (width - len(row))])} |"
