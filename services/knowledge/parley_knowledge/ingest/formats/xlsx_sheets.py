"""Excel: each row of a sheet a fact with its headers, or a question with its answer."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from typing import Any

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.archive import check_office
from parley_knowledge.ingest.formats.port import Format, Found
from parley_knowledge.ingest.markdown import escaped
from parley_knowledge.ingest.refusal import Refusal, Refused
from parley_knowledge.ingest.tables import markdown_of, pairs_of


def _read(found: Found) -> Iterable[Draft | Refusal]:
    check_office(found, "xl/workbook.xml")
    from openpyxl import load_workbook  # noqa: PLC0415 - only where one is read

    book = load_workbook(found.path, data_only=True)  # values as they were when it was saved, not formulas
    sheets = {sheet.title: _rows(sheet) for sheet in book.worksheets if sheet.sheet_state == "visible"}
    pairs = [pair for name, rows in sheets.items() for pair in pairs_of(rows, _uri(found, name, len(sheets)))]
    text = "\n\n".join(_section(name, rows, len(sheets)) for name, rows in sheets.items() if not _asked(rows, found))
    if text.strip():
        yield Draft(found.uri, (book.properties.title or found.title).strip(), text)
    elif not pairs:
        raise Refused("has no visible sheet with anything in it")
    yield from pairs


def _uri(found: Found, sheet: str, sheets: int) -> str:
    return f"{found.uri}#{sheet}" if sheets > 1 else found.uri


def _asked(rows: list[list[str]], found: Found) -> bool:
    return any(True for _ in pairs_of(rows, found.uri))


def _section(name: str, rows: list[list[str]], sheets: int) -> str:
    table = markdown_of(rows)
    return f"# {escaped(name)}\n\n{table}" if table and sheets > 1 else table


def _rows(sheet: Any) -> list[list[str]]:
    merged = {
        (row, column): (area.min_row, area.min_col)
        for area in sheet.merged_cells.ranges
        if area.size["rows"] > 1 or area.min_row == 1  # what stands beside several rows holds for each of them
        for row in range(area.min_row, area.max_row + 1)
        for column in range(area.min_col, area.min_col + 1)
    }
    return [list(_cells(sheet, row, merged)) for row in sheet.iter_rows()]


def _cells(sheet: Any, row: tuple[Any, ...], merged: dict[tuple[int, int], tuple[int, int]]) -> Iterator[str]:
    for cell in row:
        place = merged.get((cell.row, cell.column))
        yield _shown(sheet.cell(*place) if place else cell)


def _shown(cell: Any) -> str:
    """A value as its reader sees it."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, float | int) and not isinstance(value, bool):
        if "%" in (cell.number_format or ""):
            return f"{value * 100:g}%"
        return f"{value:.10g}" if isinstance(value, float) else str(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, date):
        return value.isoformat()
    return value.isoformat("minutes") if isinstance(value, time) else str(value)


FORMAT = Format("Excel", (".xlsx",), _read)
