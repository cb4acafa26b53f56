"""The replies that engines are writing in one session, as far as they are known here."""

from parley.contracts.v1 import EventMeta, ReplyChunk

DRAFT_CHARS = 100_000  # of a running reply that are kept for those who join in its middle
ENDED_KEPT = 8


class Drafts:
    """Previews by message_id. What arrives late, twice or after its end is dropped."""

    def __init__(self) -> None:
        self._open: dict[str, ReplyChunk] = {}  # each holds the whole text so far
        self._ended: list[str] = []

    def open(self) -> list[ReplyChunk]:
        """Each running reply as one snapshot."""
        return list(self._open.values())

    def close(self, message_id: str) -> None:
        """The reply is stored."""
        self._open.pop(message_id, None)
        if message_id not in self._ended:
            self._ended = [*self._ended, message_id][-ENDED_KEPT:]

    def extend(self, chunk: ReplyChunk) -> ReplyChunk | None:
        """What viewers have to be shown, or None for a chunk that is late, repeated, of a stored reply, or after a gap.

        A gap needs no repair: the stored message tells the whole text in a moment.
        """
        known = self._open.get(chunk.message_id)
        if chunk.message_id in self._ended or (known is not None and _is_known(chunk, known)):
            return None
        if known is not None and not chunk.snapshot and chunk.index == 0:
            chunk = _as_snapshot(chunk, chunk.delta)  # another engine has begun the reply anew
        if not chunk.snapshot and chunk.index != (known.index + 1 if known else 0):
            return None
        text = chunk.delta if chunk.snapshot or known is None else known.delta + chunk.delta
        self._open[chunk.message_id] = _as_snapshot(chunk, text[:DRAFT_CHARS])
        return chunk


def _is_known(chunk: ReplyChunk, known: ReplyChunk) -> bool:
    return chunk.index <= known.index and chunk.meta.producer == known.meta.producer


def _as_snapshot(chunk: ReplyChunk, text: str) -> ReplyChunk:
    return ReplyChunk(
        meta=EventMeta(producer=chunk.meta.producer),
        turn_id=chunk.turn_id,
        message_id=chunk.message_id,
        index=chunk.index,
        delta=text,
        snapshot=True,
        origin=chunk.origin,
    )
