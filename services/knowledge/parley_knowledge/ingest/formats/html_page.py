"""HTML: what a page says, without what surrounds it: menus, scripts, headers and footers."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.formats.port import Format, Found
from parley_knowledge.ingest.markdown import escaped
from parley_knowledge.ingest.refusal import Refusal, Refused
from parley_knowledge.ingest.tables import markdown_of

_LEFT_OUT_NAMES: Final = (
    "script style noscript template svg iframe nav footer aside form button select option textarea head input"
)
_BLOCK_NAMES: Final = (
    "address article blockquote body center dd details div dl dt fieldset figcaption figure h1 h2 h3 h4 h5 h6 header "
    "hr html li main ol p pre section summary table tr ul"
)
_LEFT_OUT: Final = frozenset(_LEFT_OUT_NAMES.split())
_BLOCKS: Final = frozenset(_BLOCK_NAMES.split())
_HEADING = re.compile(r"h([1-6])|summary|dt")
_DEEPEST: Final = 200
_PAGE = re.compile(r"<(?:!doctype|html|head|body|title|article|main|section|div|p|h[1-6]|table|ul|ol|dl)\b", re.I)


def _read(found: Found) -> Iterable[Draft | Refusal]:
    return [page_of(found.text(), found.uri, found.title)]


def page_of(html: str, uri: str, name: str) -> Draft:
    """The document that a page holds. Raises Refused when it is none, or says nothing."""
    if not _PAGE.search(html):
        raise Refused("is not what its name says: it holds no HTML")
    tree = _tree(html)
    text = _text(tree)
    if not text.strip():
        raise Refused("holds no text; a page that is made by scripts has to be saved after they ran")
    language = (tree.css_first("html").attributes.get("lang") if tree.css_first("html") else "") or ""
    heading = tree.css_first("h1")
    title = tree.css_first("title")
    shown = heading.text() if heading and heading.text().strip() else title.text() if title else ""
    return Draft(uri, " ".join(shown.split()) or name, text, language)


def text_of(html: str) -> str:
    """A piece of HTML as Markdown."""
    return _text(_tree(html))


def _tree(html: str) -> Any:
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - only where one is read

    return LexborHTMLParser(html)


def _text(tree: Any) -> str:
    root = tree.css_first("main") or tree.css_first("article") or tree.body
    return "\n\n".join(part for part in _parts(root, 0) if part.strip()) if root else ""


def _parts(node: Any, depth: int) -> Iterator[str]:
    """The blocks below a node, each as Markdown."""
    if depth > _DEEPEST:
        raise Refused(f"is nested more than {_DEEPEST} elements deep")
    line: list[str] = []
    for child in node.iter(include_text=True):
        if child.tag in _LEFT_OUT or _hidden(child):
            continue
        if child.tag in _BLOCKS:
            yield _flow(line)
            yield from _block(child, depth + 1)
            line = []
        else:
            line.append(_inline(child, depth + 1))
    yield _flow(line)


def _block(node: Any, depth: int) -> Iterator[str]:
    heading = _HEADING.fullmatch(node.tag)
    if heading:
        if words := " ".join(node.text().split()):
            yield f"{'#' * int(heading[1] or 3)} {escaped(words)}"
    elif node.tag == "table":
        rows = [[cell.text() for cell in row.css("th, td")] for row in node.css("tr")]
        yield markdown_of(rows)
    elif node.tag == "li":
        parts = [part for part in _parts(node, depth) if part.strip()]
        if parts:
            yield "\n\n".join([f"- {parts[0]}", *parts[1:]])
    else:
        yield from _parts(node, depth)


def _inline(node: Any, depth: int) -> str:
    if node.tag == "-text":
        return str(node.text_content or "")
    if node.tag == "br":
        return "\n"
    if depth > _DEEPEST:
        raise Refused(f"is nested more than {_DEEPEST} elements deep")
    kept = [c for c in node.iter(include_text=True) if c.tag not in _LEFT_OUT and not _hidden(c)]
    words = "".join(_inline(child, depth + 1) for child in kept)
    address = str(node.attributes.get("href") or "") if node.tag == "a" else ""
    wanted = address.startswith(("mailto:", "tel:")) and address.split(":", 1)[1] not in words
    return f"{words} ({address.split(':', 1)[1]})" if wanted else words


def _hidden(node: Any) -> bool:
    if node.tag.startswith("-"):
        return bool(node.tag != "-text")
    attributes = node.attributes
    return "hidden" in attributes or bool(attributes.get("aria-hidden") == "true")


def _flow(pieces: list[str]) -> str:
    lines = ("".join(pieces)).split("\n")
    words = [" ".join(line.split()) for line in lines]
    return escaped("\n".join(filter(None, words)))


FORMAT = Format("HTML", (".html", ".htm", ".xhtml"), _read)
