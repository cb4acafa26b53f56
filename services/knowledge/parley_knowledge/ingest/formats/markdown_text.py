"""Markdown with front matter."""

from collections.abc import Iterable

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.formats.port import Format, Found
from parley_knowledge.ingest.markdown import first_heading, split_front_matter
from parley_knowledge.ingest.refusal import Refusal, Refused


def _read(found: Found) -> Iterable[Draft | Refusal]:
    values, body = split_front_matter(found.text())
    title = values.get("title") or first_heading(body) or found.title
    if not body.strip():
        raise Refused("has front matter and no text")
    return [Draft(found.uri, title.strip(), body, values.get("language") or values.get("lang") or "")]


FORMAT = Format("Markdown", (".md", ".markdown"), _read, confined=False)
