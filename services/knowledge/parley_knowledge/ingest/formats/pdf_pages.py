"""PDF: each page a section, its text in order, its ruled tables row by row; pages that are pictures go to OCR."""

from collections.abc import Iterable
from typing import Any, Final

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.formats.port import PACKED_BYTES, Format, Found
from parley_knowledge.ingest.markdown import escaped
from parley_knowledge.ingest.page_text import columns_of, unwrapped
from parley_knowledge.ingest.refusal import Refusal, Refused
from parley_knowledge.ingest.scanned import words_of
from parley_knowledge.ingest.tables import markdown_of

MOST_PAGES: Final = 3_000
FEW_CHARACTERS: Final = 8  # a page with fewer, and a picture, was scanned
LINES: Final = 4  # paths that a page draws; a table has more
_HEAD: Final = 1024  # bytes; readers allow rubbish before the mark


def _read(found: Found) -> Iterable[Draft | Refusal]:
    data = found.data(PACKED_BYTES)
    if b"%PDF-" not in data[:_HEAD]:
        raise Refused("is not what its name says: it does not begin like a PDF")
    import pypdf  # noqa: PLC0415 - only where one is read
    import pypdfium2  # noqa: PLC0415

    reader = _opened(pypdf, found)
    drawn = pypdfium2.PdfDocument(data)
    sections: list[str] = []
    for number, page in enumerate(reader.pages, 1):
        try:
            text = _page(found, number, page, drawn)
        except Refused as refused:
            yield Refusal(f"{found.uri}#page={number}", str(refused))
            continue
        sections.append(f"# {number}\n\n{text}" if text.strip() and len(reader.pages) > 1 else text)
    if not any(section.strip() for section in sections):
        raise Refused("holds no text")
    yield Draft(found.uri, _title(reader) or found.title, "\n\n".join(filter(None, sections)))


def _opened(pypdf: Any, found: Found) -> Any:
    try:
        reader = pypdf.PdfReader(str(found.path))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refused("is encrypted; save it without a password")
        pages = len(reader.pages)
    except pypdf.errors.PyPdfError as error:
        raise Refused(f"is broken: {error}") from None
    if pages > MOST_PAGES:
        raise Refused(f"has {pages} pages, more than {MOST_PAGES}; split it")
    return reader


def _title(reader: Any) -> str:
    title = " ".join(str((reader.metadata or {}).get("/Title") or "").split())
    return "" if title.lower() in {"untitled", "(anonymous)"} or title.lower().startswith("microsoft word") else title


def _page(found: Found, number: int, page: Any, drawn: Any) -> str:
    shown = drawn[number - 1]
    try:
        paths, pictures = _drawn(shown)
        if paths > LINES and (tabled := _with_tables(found, number)):
            return tabled
        if columns := columns_of(shown):
            return "\n\n".join(escaped(unwrapped(column)) for column in columns)
        text = str(page.extract_text() or "").strip()
        if len(text) < FEW_CHARACTERS and pictures:
            return escaped(words_of(shown))
        return escaped(unwrapped(text))
    finally:
        shown.close()


def _drawn(shown: Any) -> tuple[int, int]:
    """How many paths and pictures a page draws."""
    kinds = [one.type for one in shown.get_objects(max_depth=2)]
    return kinds.count(2), kinds.count(3)  # FPDF_PAGEOBJ_PATH and _IMAGE


def _with_tables(found: Found, number: int) -> str:
    """A page that has tables: what stands outside them, then they; empty where lines make no table."""
    import pdfplumber  # noqa: PLC0415 - a second to import, and slow: only for pages with lines

    with pdfplumber.open(found.path, pages=[number]) as document:
        page = document.pages[0]
        tables = [table for table in page.find_tables() if len(table.rows) > 1 and len(table.rows[0].cells) > 1]
        if not tables:
            return ""
        boxes = [table.bbox for table in tables]
        outside = page.filter(lambda one: not any(_inside(one, box) for box in boxes))
        rows = [[[cell or "" for cell in row] for row in table.extract()] for table in tables]
    return "\n\n".join(filter(None, [escaped(outside.extract_text() or ""), *map(markdown_of, rows)]))


def _inside(one: Any, box: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = box
    x, y = (one["x0"] + one["x1"]) / 2, (one["top"] + one["bottom"]) / 2
    return bool(left <= x <= right and top <= y <= bottom)


FORMAT = Format("PDF", (".pdf",), _read)
