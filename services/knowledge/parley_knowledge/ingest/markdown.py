"""Markdown: its front matter, its title, and its blocks of plain lines under their headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from parley_knowledge.ingest.refusal import Refused
from parley_knowledge.text import joined

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_FIRST_HEADING = re.compile(r"^#[ \t]+(.+?)[ \t#]*$", re.M)
_TAG = re.compile(r"<[^>\n]{1,400}>")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~+=-])")
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
WRAPPED: Final = 60  # characters: a paragraph with a line of that length has been wrapped by an editor
MAX_FRONT_MATTER: Final = 16_384  # characters


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list or table as plain lines, and the headings that it stands under."""

    path: tuple[str, ...]
    lines: tuple[str, ...]


def split_front_matter(text: str) -> tuple[dict[str, str], str]:
    """Front matter's plain values and the rest. Raises Refused when it is not YAML."""
    found = _FRONT_MATTER.match(text)
    if not found:
        return {}, text
    import yaml  # noqa: PLC0415 - only needed while reading

    if len(found[1]) > MAX_FRONT_MATTER:
        raise Refused(f"has more than {MAX_FRONT_MATTER} characters of front matter")
    try:
        values = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        raise Refused(f"has front matter that is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(values, dict):
        raise Refused('has front matter that is not a list of "name: value" lines')
    plain = {str(k).lower(): str(v) for k, v in values.items() if isinstance(v, str | int | float)}
    return plain, text[found.end() :]


def first_heading(text: str) -> str:
    """The text of the first heading of level one, or the empty string."""
    found = _FIRST_HEADING.search(text)
    return found[1].strip() if found else ""


def escaped(text: str) -> str:
    """Plain text as Markdown that reads the same. Short lines stay lines; long ones were wrapped and flow together."""
    paragraphs = _BLANK_LINES.split(text.strip())
    return "\n\n".join(_escaped_paragraph([line.strip() for line in p.splitlines()]) for p in paragraphs)


def _escaped_paragraph(lines: list[str]) -> str:
    end = "\\\n" if max(map(len, lines), default=0) < WRAPPED else "\n"
    return end.join(_SPECIAL.sub(r"\\\1", line) for line in lines)


def blocks(text: str) -> Iterator[Block]:
    """All that can be read in a Markdown text, in order. A heading without text of its own gives no block."""
    path: list[tuple[int, str]] = []
    tokens = _parser().parse(text.replace("\r\n", "\n").replace("\r", "\n"))
    position = 0
    while position < len(tokens):
        token = tokens[position]
        end = _end_of(tokens, position)
        if token.type == "heading_open":
            level = int(token.tag[1:])
            path = [*(p for p in path if p[0] < level), (level, _inline(tokens[position + 1]))]
        elif lines := tuple(_lines(tokens[position : end + 1])):
            yield Block(tuple(name for _, name in path), lines)
        position = end + 1


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only needed while reading

    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _end_of(tokens: "list[Token]", begin: int) -> int:
    depth = 0
    for position in range(begin, len(tokens)):
        depth += tokens[position].nesting
        if depth == 0:
            return position
    return len(tokens) - 1


def _lines(tokens: "list[Token]") -> Iterator[str]:
    """The lines of one block with everything in it."""
    if tokens[0].type == "table_open":
        yield from _rows(tokens)
        return
    marks: list[str] = []
    mark = ""
    for token in tokens:
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            marks.append(token.type)
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            marks.pop()
        elif token.type == "list_item_open":
            mark = "- " if marks[-1] == "bullet_list_open" else f"{token.info or '1'}. "
        elif token.type == "inline":
            for line in filter(None, _inline(token).split("\n")):
                yield mark + line
                mark = ""
        elif token.type in {"fence", "code_block", "html_block"}:
            yield from filter(None, (_TAG.sub(" ", line).strip() for line in token.content.split("\n")))


def _rows(tokens: "list[Token]") -> Iterator[str]:
    """Each row by itself with the headers of its columns, so that one cell can be found and quoted."""
    headers: list[str] = []
    row: list[str] = []
    for token in tokens:
        if token.type == "inline":
            row.append(_inline(token).replace("\n", " "))
        elif token.type == "tr_close":
            if headers:
                yield "; ".join(f"{h}: {cell}" if h else cell for h, cell in zip(headers, row, strict=False) if cell)
            headers, row = headers or row, []


def _inline(token: "Token") -> str:
    """Text of a paragraph without its markup; a link keeps its address."""
    lines: list[list[str]] = [[""]]
    address = ""
    for child in token.children or []:
        if child.type == "softbreak":
            lines[-1].append("")
        elif child.type == "hardbreak":
            lines.append([""])
        elif child.type == "link_open":
            address = str(child.attrs.get("href", ""))
        elif child.type == "link_close":
            if address.startswith(("http", "mailto:", "tel:")) and address.split(":", 1)[-1] not in lines[-1][-1]:
                lines[-1][-1] += f" ({address})"
        else:
            lines[-1][-1] += child.content if child.type != "html_inline" else ""
    return "\n".join(joined(pieces) for pieces in lines).strip()
