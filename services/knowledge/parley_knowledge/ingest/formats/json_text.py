"""JSON: records, lists of them, question answering sets."""

from collections.abc import Iterable

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.formats.port import Format, Found
from parley_knowledge.ingest.json_records import read_json
from parley_knowledge.ingest.refusal import Refusal


def _read(found: Found) -> Iterable[Draft | Refusal]:
    return read_json(found.text(), found.uri, found.title)


FORMAT = Format("JSON", (".json",), _read, confined=False)
