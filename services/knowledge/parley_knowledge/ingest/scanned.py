"""Pages that are pictures: rendered, then read by OCR with the models that come with it; nothing is downloaded."""

from functools import cache
from typing import Any, Final

from parley_knowledge.ingest.refusal import Refused

DOTS: Final = 150  # an inch
MOST_DOTS: Final = 4_000  # of the longer side
SURE: Final = 0.5  # lines below it are noise more often than words


def words_of(page: Any) -> str:
    """The lines of a page of pypdfium2 from top to bottom. Raises Refused where OCR is not installed."""
    width, height = page.get_size()
    scale = min(DOTS / 72, MOST_DOTS / max(width, height, 1))
    found = _reader()(page.render(scale=scale).to_numpy())
    if found.txts is None:
        return ""
    lines = sorted(
        (float(box[:, 1].mean()), float(box[:, 0].min()), float(box[:, 1].max() - box[:, 1].min()), text)
        for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
        if score >= SURE
    )
    return "\n".join(_rows(lines))


def _rows(lines: list[tuple[float, float, float, str]]) -> list[str]:
    """Pieces that stand beside each other are one line."""
    rows: list[list[tuple[float, float, float, str]]] = []
    for line in lines:
        if rows and line[0] - rows[-1][0][0] < line[2] / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [" ".join(text for _, _, _, text in sorted(row, key=lambda one: one[1])) for row in rows]


@cache
def _reader() -> Any:
    try:
        import rapidocr  # noqa: PLC0415 - 600 MB and a second: only where a page was scanned
    except ImportError:
        raise Refused("was scanned, and OCR is not installed; install parley[ocr]") from None
    return rapidocr.RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 1})
