"""Pages of histories and listings, the same for every adapter."""

from collections.abc import Sequence

from parley_session_router.store import cursors
from parley_session_router.store.records import SessionRecord

BEGINNING = (float("-inf"), "")


def window(head_seq: int, after_seq: int, limit: int, before_seq: int | None) -> tuple[int, int]:
    """The first and last seq of a page of history; seqs are gapless, so the page is a range."""
    if before_seq is None:
        return after_seq + 1, min(after_seq + limit, head_seq)
    last = min(before_seq - 1, head_seq)
    return max(last - limit + 1, after_seq + 1), last


def order_at(record: SessionRecord) -> float:
    """What listings are sorted by: since when it waits, else since when it is open."""
    return record.opened_at if record.waiting_since is None else record.waiting_since


def position(after: str) -> tuple[float, str]:
    """Where a listing goes on. Raises Invalid."""
    return cursors.unpack(after, tuple[float, str]) if after else BEGINNING


def next_page(found: Sequence[SessionRecord], limit: int) -> str:
    """The cursor behind a full page; empty when there is nothing behind it."""
    return cursors.pack(order_at(found[-1]), found[-1].session) if found and len(found) >= limit else ""
