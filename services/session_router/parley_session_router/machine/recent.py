"""The messages that a session stored last, sixteen bytes each: every commit writes them, every message is looked up."""

from parley_session_router.store import RECENT_IDS

_DIGEST, _SEQ = 12, 4
_SIZE = _DIGEST + _SEQ
_KEPT = RECENT_IDS * _SIZE


def add(recent: bytes, message_id: str, seq: int) -> bytes:
    """With one more; the oldest makes room. Message ids are `msg_` and the hex digits of their digest."""
    return (recent + _digest(message_id) + seq.to_bytes(_SEQ, "big"))[-_KEPT:]


def seq_of(recent: bytes, message_id: str) -> int | None:
    """Where this message is; None when it is not among the last."""
    digest = _digest(message_id)
    at = recent.find(digest)
    while at >= 0 and (len(recent) - at) % _SIZE:  # bytes of two neighbours that look like it
        at = recent.find(digest, at + 1)
    return None if at < 0 else int.from_bytes(recent[at + _DIGEST : at + _SIZE], "big")


def count(recent: bytes) -> int:
    """How many are remembered."""
    return len(recent) // _SIZE


def _digest(message_id: str) -> bytes:
    return bytes.fromhex(message_id[4:])
