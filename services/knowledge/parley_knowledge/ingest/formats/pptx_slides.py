"""PowerPoint: each slide a section, with its tables and the speaker's notes."""

from collections.abc import Iterable, Iterator
from typing import Any

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.archive import check_office
from parley_knowledge.ingest.formats.port import Format, Found
from parley_knowledge.ingest.markdown import escaped
from parley_knowledge.ingest.refusal import Refusal, Refused
from parley_knowledge.ingest.tables import markdown_of


def _read(found: Found) -> Iterable[Draft | Refusal]:
    check_office(found, "ppt/presentation.xml")
    import pptx  # noqa: PLC0415 - only where one is read

    show = pptx.Presentation(str(found.path))
    slides = [_slide(number, slide) for number, slide in enumerate(show.slides, 1)]
    if not any(slides):
        raise Refused("holds no text")
    title = (show.core_properties.title or "").strip()
    return [
        Draft(found.uri, title if title not in {"", "PowerPoint Presentation"} else found.title, "\n\n".join(slides))
    ]


def _slide(number: int, slide: Any) -> str:
    title = slide.shapes.title.text_frame.text.strip() if slide.shapes.title is not None else ""
    parts = [part for shape in slide.shapes if shape != slide.shapes.title for part in _shape(shape)]
    if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame):
        parts.extend(filter(None, [escaped(notes.text.strip())]))
    if not title and not parts:
        return ""
    return "\n\n".join([f"# {escaped(' '.join(title.split())) or number}", *parts])


def _shape(shape: Any) -> Iterator[str]:
    if getattr(shape, "has_table", False) and shape.has_table:
        yield markdown_of([[cell.text for cell in row.cells] for row in shape.table.rows])
    elif hasattr(shape, "shapes"):
        for inner in shape.shapes:
            yield from _shape(inner)
    elif shape.has_text_frame:
        lines = [" ".join(p.text.split()) for p in shape.text_frame.paragraphs]
        yield from (escaped(line) for line in lines if line)


FORMAT = Format("PowerPoint", (".pptx",), _read)
