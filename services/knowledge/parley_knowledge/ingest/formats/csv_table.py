"""CSV and TSV: each row a fact with its headers, or a question with its answer."""

import csv
from collections.abc import Iterable
from typing import Final

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.formats.port import Format, Found
from parley_knowledge.ingest.refusal import Refusal, Refused
from parley_knowledge.ingest.tables import markdown_of, pairs_of

MOST_CELL: Final = 100_000  # characters


def _read(found: Found) -> Iterable[Draft | Refusal]:
    csv.field_size_limit(MOST_CELL)
    text = found.text()
    try:
        rows = list(csv.reader(text.splitlines(keepends=True), _dialect(text)))
    except csv.Error as error:
        raise Refused(f"is not a table: {error}") from None
    if not any(len(row) > 1 for row in rows):
        raise Refused("is not a table: no line has two columns")
    return list(pairs_of(rows, found.uri)) or [Draft(found.uri, found.title, markdown_of(rows))]


def _dialect(text: str) -> type[csv.Dialect]:
    try:
        return csv.Sniffer().sniff(text[:8192], ",;\t|")
    except csv.Error:
        return csv.excel


FORMAT = Format("CSV", (".csv", ".tsv"), _read)
