"""The frames of a GIF, counted by its block structure alone: no pixel is decoded, and counting stops at the limit."""

from parley_media.transcode.problems import NOT_AN_IMAGE, SAVE_AGAIN, Unusable

_EXTENSION, _FRAME, _TRAILER = 0x21, 0x2C, 0x3B


def count_frames(content: bytes, limit: int) -> int:
    """Frames up to `limit` + 1. Raises Unusable when the blocks end before the trailer."""
    try:
        return _count(content, limit)
    except IndexError:
        raise Unusable(NOT_AN_IMAGE, f"the GIF is cut off; {SAVE_AGAIN}") from None


def _count(content: bytes, limit: int) -> int:
    at, frames = 13 + _palette_bytes(content[10]), 0
    while frames <= limit and content[at] != _TRAILER:
        if content[at] == _EXTENSION:
            at = _after_blocks(content, at + 2)
        elif content[at] == _FRAME:
            at = _after_blocks(content, at + 11 + _palette_bytes(content[at + 9]))
            frames += 1
        else:
            raise Unusable(NOT_AN_IMAGE, f"the GIF is damaged; {SAVE_AGAIN}")
    return frames


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(content: bytes, at: int) -> int:
    while size := content[at]:
        at += size + 1
    return at + 1
