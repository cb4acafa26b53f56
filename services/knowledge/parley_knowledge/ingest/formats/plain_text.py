"""Plain text."""

from collections.abc import Iterable

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.formats.port import Format, Found
from parley_knowledge.ingest.markdown import escaped
from parley_knowledge.ingest.refusal import Refusal


def _read(found: Found) -> Iterable[Draft | Refusal]:
    return [Draft(found.uri, found.title, escaped(found.text()))]


FORMAT = Format("text", (".txt", ".text"), _read, confined=False)
