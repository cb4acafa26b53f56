"""A stored session as others see it: state, timers, who answers, and the last decisions with their times."""

from google.protobuf.timestamp_pb2 import Timestamp

from parley.contracts.v1 import Session, SessionDecision, SessionStatus
from parley_session_router.machine.codec import decode
from parley_session_router.machine.decision import STATUS, stamp
from parley_session_router.store import SessionRecord


def as_message(found: SessionRecord) -> Session:
    """Everything that explains it; of what was said only the beginning of the newest message."""
    state = decode(found.state)
    turn = state.turn
    return Session(
        session_id=found.session,
        tenant_id=found.tenant,
        status=STATUS.get(found.status, SessionStatus.SESSION_STATUS_UNSPECIFIED),
        visitor=state.visitor,
        agent=state.agent,
        channel=found.channel,
        epoch=found.epoch,
        head_seq=found.head_seq,
        ownership=state.ownership,
        opened_at=stamp(found.opened_at),
        changed_at=stamp(found.changed_at),
        waiting_since=_maybe(found.waiting_since),
        waiting_reason=state.waiting_reason,
        last_text=state.last_text,
        why=[reason.why for reason in state.decisions],
        decisions=[SessionDecision(at=stamp(reason.at), why=reason.why) for reason in state.decisions],
        shard=found.shard,
        shard_epoch=found.shard_epoch,
        unsent=len(found.pending),
        unanswered=len(state.unanswered),
        running_turn=turn.turn_id if turn else "",
        turn_deadline=stamp(turn.deadline) if turn else None,
        engine_id=turn.engine_id if turn else "",
        starts_at=_maybe(state.starts_at),
        idle_at=None if turn else _maybe(state.idle_at),  # a turn's end counts silence anew
    )


def _maybe(at: float | None) -> Timestamp | None:
    return None if at is None else stamp(at)
