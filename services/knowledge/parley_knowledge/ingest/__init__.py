"""Taking documents in: which files there are, what they hold, and how a text is cut into passages."""

from parley_knowledge.ingest.chunking import chunks_of
from parley_knowledge.ingest.confined import Reading, read_file
from parley_knowledge.ingest.files import MAX_TEXT_BYTES, kinds, readable, uri_in, walk
from parley_knowledge.ingest.formats import Format, Found
from parley_knowledge.ingest.refusal import Refusal, Refused

__all__ = [
    "MAX_TEXT_BYTES",
    "Format",
    "Found",
    "Reading",
    "Refusal",
    "Refused",
    "chunks_of",
    "kinds",
    "read_file",
    "readable",
    "uri_in",
    "walk",
]
