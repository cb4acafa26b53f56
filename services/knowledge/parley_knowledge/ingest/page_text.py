"""The text of a PDF's page as its reader goes over it: column after column, and lines that were only wrapped joined."""

import re
from collections.abc import Sequence
from typing import Any, Final

from parley_knowledge.text import CJK

LEAST_PIECES: Final = 3  # of text on each side of a gutter
GUTTER: Final = 0.015  # of the width, at least
MIDDLE: Final = (0.3, 0.7)  # of the width: where a gutter may be
STEPS: Final = 80  # places that are tried between these
FULL: Final = 0.85  # of the longest line: a shorter Chinese line ends its paragraph
_ENDS = re.compile(r"[.!?:;。！？：；…]['\"”’)）]?$")
_GOES_ON = re.compile(r"[a-z]")
_CHINESE = re.compile(f"[{CJK}，、]")

Box = tuple[float, float, float, float]  # left, bottom, right, top


def columns_of(page: Any) -> list[str]:
    """The text of each column of a page of pypdfium2 from left to right; one where it has no gutter."""
    shown = page.get_textpage()
    try:
        boxes = [shown.get_rect(n) for n in range(shown.count_rects())]
        width, height = page.get_size()
        gutter = gutter_of(boxes, width)
        if gutter is None:
            return []
        return [
            shown.get_text_bounded(left=0, bottom=0, right=gutter, top=height),
            shown.get_text_bounded(left=gutter, bottom=0, right=width, top=height),
        ]
    finally:
        shown.close()


def gutter_of(boxes: Sequence[Box], width: float) -> float | None:
    """The middle of the white stripe between two columns that stand beside each other; None where there is none."""
    if len(boxes) < 2 * LEAST_PIECES:
        return None
    low, high = (share * width for share in MIDDLE)
    clear = [x for n in range(STEPS + 1) if _clear(boxes, x := low + (high - low) * n / STEPS)]
    best = max(_runs(clear, (high - low) / STEPS * 1.5), key=len, default=[])
    if not best or best[-1] - best[0] < GUTTER * width:
        return None
    middle = (best[0] + best[-1]) / 2
    left, right = [box for box in boxes if box[2] <= middle], [box for box in boxes if box[0] >= middle]
    beside = sum(any(box[1] < other[3] and other[1] < box[3] for other in right) for box in left)
    return middle if min(len(left), len(right)) >= LEAST_PIECES and beside >= LEAST_PIECES else None


def _clear(boxes: Sequence[Box], x: float) -> bool:
    return not any(left < x < right for left, _, right, _ in boxes)


def _runs(places: Sequence[float], step: float) -> list[list[float]]:
    runs: list[list[float]] = []
    for place in places:
        if runs and place - runs[-1][-1] <= step:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def unwrapped(text: str) -> str:
    """Lines that go on in the next one, joined with it; headings, lists and ends of paragraphs stay lines."""
    lines = [line.strip() for line in text.replace("\r", "").split("\n")]
    longest = max(map(_width, lines), default=0)
    found: list[str] = []
    previous = ""
    for line in lines:
        if found and previous and _joins(previous, line, longest):
            found[-1] += line if _CHINESE.match(found[-1][-1]) or _CHINESE.match(line) else f" {line}"
        else:
            found.append(line)
        previous = line
    return "\n".join(found).strip()


def _width(line: str) -> int:
    return len(line) + len(_CHINESE.findall(line))  # a Chinese character is as wide as two letters


def _joins(line: str, after: str, longest: int) -> bool:
    if not after or _ENDS.search(line):
        return False
    if _CHINESE.match(line[-1]):
        return _width(line) >= FULL * longest and len(line) > 10 and bool(_CHINESE.match(after))
    return bool(_GOES_ON.match(after))
