"""Word: headings, paragraphs, lists and tables in the order of the page."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.archive import check_office
from parley_knowledge.ingest.formats.port import Format, Found
from parley_knowledge.ingest.markdown import escaped
from parley_knowledge.ingest.refusal import Refusal, Refused
from parley_knowledge.ingest.tables import markdown_of

_HEADING = re.compile(r"(?:heading|标题)\s*([1-6])", re.I)


def _read(found: Found) -> Iterable[Draft | Refusal]:
    check_office(found, "word/document.xml")
    import docx  # noqa: PLC0415 - only where one is read

    document = docx.Document(str(found.path))
    titles: list[str] = []
    text = "\n\n".join(_blocks(document, titles))
    if not text.strip():
        raise Refused("holds no text")
    title = next(iter(titles), "") or document.core_properties.title or found.title
    return [Draft(found.uri, title.strip(), text)]


def _blocks(document: Any, titles: list[str]) -> Iterator[str]:
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            yield markdown_of([_row(row) for row in block.rows])
        elif text := block.text.strip():
            yield _paragraph(text, block, titles)


def _row(row: Any) -> list[str]:
    """The cells of a row; one that goes over several columns stands in the first of them."""
    seen: list[Any] = []
    cells = []
    for cell in row.cells:
        cells.append("" if any(cell._tc is other for other in seen) else cell.text)
        seen.append(cell._tc)
    return cells


def _paragraph(text: str, block: Any, titles: list[str]) -> str:
    style = str(block.style.name if block.style is not None else "")
    heading = _HEADING.match(style)
    if style.lower() == "title":
        titles.append(text)
    if heading or style.lower() == "title":
        return f"{'#' * (int(heading[1]) if heading else 1)} {escaped(' '.join(text.split()))}"
    listed = style.lower().startswith("list") or (block._p.pPr is not None and block._p.pPr.numPr is not None)
    return f"- {escaped(' '.join(text.split()))}" if listed else escaped(text)


FORMAT = Format("Word", (".docx",), _read)
