"""Builders of what a router would commit; only the interesting field is named."""

from msgspec import structs

from parley_session_router.store import (
    OutboxEntry,
    SessionCommit,
    SessionRecord,
    StreamEntry,
    dedup_key,
)

TENANT = "dian-pu"


def a_record(session: str = "ses_1", **changes: object) -> SessionRecord:
    calm = SessionRecord(
        tenant=TENANT,
        session=session,
        shard=3,
        version=1,
        shard_epoch=1,
        state="我想退款".encode(),
        status="open",
        epoch=1,
        head_seq=0,
        channel="web",
        opened_at=100.0,
        changed_at=100.0,
    )
    return structs.replace(calm, **changes)


def a_message(seq: int, *, outgoing: bool = False, key: str | None = None, text: str = "您好") -> StreamEntry:
    return StreamEntry(seq, f"msg_{seq}", f"{text} {seq}".encode(), 100.0 + seq, key, outgoing)


def an_event(number: int) -> OutboxEntry:
    return OutboxEntry(number, "events", "message.stored", "MessageStored", f"事件 {number}".encode())


def opening(session: str = "ses_1", *, messages: int = 1, **changes: object) -> SessionCommit:
    """The first commit of a session, with some messages."""
    record = a_record(session, head_seq=messages, **changes)
    return SessionCommit(record, tuple(a_message(seq) for seq in range(1, messages + 1)))


def after(record: SessionRecord, *, key: str | None = None, outgoing: bool = False, **changes: object) -> SessionCommit:
    """The next commit: one more message."""
    seq = record.head_seq + 1
    entry = a_message(seq, key=key, outgoing=outgoing)
    stepped = structs.replace(record, version=record.version + 1, head_seq=seq)
    return SessionCommit(structs.replace(stepped, **changes), (entry,))


def web_key(session: str, client_msg_id: str) -> str:
    return dedup_key("web", client_msg_id, session=session)
