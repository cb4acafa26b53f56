"""Cut a document into passages: whole sections where they fit, else sentences packed to about 400 tokens."""

from collections.abc import Iterable, Iterator
from typing import Final

from parley_knowledge.documents import Chunk
from parley_knowledge.ingest.markdown import Block, blocks
from parley_knowledge.text import joined, sentences, units

WHOLE: Final = 450  # units; a document up to this stays one passage
PACKED: Final = 400  # units that a passage is filled up to
HEADING: Final = "# "
SEPARATOR: Final = " › "


def chunks_of(text: str, title: str = "") -> list[Chunk]:
    """The passages of a Markdown text. Its own title is not repeated as a heading."""
    found = [_without(title, block) for block in blocks(text)]
    if sum(_length(block) for block in found) <= WHOLE:
        return [Chunk("", body)] if (body := _body(found)) else []
    return list(_packed(found))


def _without(title: str, block: Block) -> Block:
    if block.path and block.path[0].strip() == title.strip():
        return Block(block.path[1:], block.lines)
    return block


def _length(block: Block) -> int:
    return sum(units(line) for line in block.lines)


def _body(found: Iterable[Block]) -> str:
    """Blocks one below the other, each heading once, above what stands under it."""
    parts: list[str] = []
    path: tuple[str, ...] = ()
    for block in found:
        headings = [
            HEADING + name for depth, name in enumerate(block.path) if path[: depth + 1] != block.path[: depth + 1]
        ]
        parts.append("\n".join([*headings, *block.lines]))
        path = block.path
    return "\n\n".join(parts).strip()


def _packed(found: list[Block]) -> Iterator[Chunk]:
    """Fill passages without crossing a heading of the first level, unless what came before it is short."""
    waiting: list[Block] = []
    length = 0
    for block in (piece for whole in found for piece in _pieces(whole)):
        size = _length(block)
        turned = bool(waiting) and waiting[-1].path[:1] != block.path[:1] and length > PACKED // 2
        if waiting and (turned or length + size > PACKED):
            yield _chunk(waiting)
            waiting, length = [], 0
        waiting.append(block)
        length += size
    if waiting:
        yield _chunk(waiting)


def _pieces(block: Block) -> Iterator[Block]:
    """A block that fits as it is, a longer one by its lines, a line that is too long by its sentences."""
    if _length(block) <= PACKED:
        yield block
        return
    for line in block.lines:
        for part in _split(line) if units(line) > PACKED else [line]:
            yield Block(block.path, (part,))


def _split(line: str) -> Iterator[str]:
    waiting: list[str] = []
    length = 0
    for sentence in (part for whole in sentences(line) for part in _cut(whole)):
        size = units(sentence)
        if waiting and length + size > PACKED:
            yield joined(waiting)
            waiting, length = [], 0
        waiting.append(sentence)
        length += size
    if waiting:
        yield joined(waiting)


def _cut(sentence: str) -> Iterator[str]:
    """A sentence without end, such as a list of names, is cut by length."""
    longest = PACKED * 4  # characters: even one unit a character stays within what a search can show
    for begin in range(0, len(sentence), longest):
        yield sentence[begin : begin + longest]


def _chunk(waiting: list[Block]) -> Chunk:
    shared = _shared([block.path for block in waiting])
    return Chunk(SEPARATOR.join(shared), _body(Block(block.path[len(shared) :], block.lines) for block in waiting))


def _shared(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The headings that all of them stand under."""
    first, last = min(paths), max(paths)
    length = next((n for n, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), None)
    return first[: min(len(first), len(last)) if length is None else length]
