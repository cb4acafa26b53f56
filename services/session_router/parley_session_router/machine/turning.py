"""Turns: asked, superseded, completed, failed, out of time. Each ends in exactly one outcome."""

import hashlib

from msgspec.structs import replace

from parley.bus.routes import to_engine_replica, to_engines
from parley.contracts.v1 import (
    Handoff,
    HandoffRequested,
    Message,
    ReplyRefused,
    Sender,
    SenderKind,
    StopRequested,
    TurnCancelled,
    TurnCompleted,
    TurnFailed,
    TurnFinished,
    TurnJoined,
    TurnRequested,
    TurnStarted,
)
from parley_session_router.machine.decision import Decision, stamp
from parley_session_router.machine.state import (
    OPEN,
    RECENT_KEPT,
    RECENT_TEXT,
    WAITING,
    Rules,
    RunningTurn,
    SessionState,
)

FINISHED_KEPT = 16
NO_ANSWER = {
    "zh": "抱歉，现在没能得到答案。已请一位同事来接手，请稍候。",
    "en": "Sorry, there is no answer right now. A person will take over; please wait a moment.",
}


def ask_if_needed(decision: Decision, rules: Rules) -> None:
    """Start a turn when the engine answers, none runs, and something is unanswered."""
    state = decision.state
    if state.status != OPEN or state.turn is not None or not state.unanswered:
        return
    number = state.turns + 1
    turn = RunningTurn(
        turn_id=_derived("turn", state, number),
        message_id=_derived("msg", state, number),
        ownership=state.ownership,
        requested_at=decision.now,
        deadline=decision.now + rules.turn_seconds,
        asked=tuple(message.message_id for message in state.unanswered),
    )
    decision.change(f"asked the engine ({len(state.unanswered)} message(s))", turn=turn, turns=number)
    request(decision, rules)


def request(decision: Decision, rules: Rules) -> None:
    """Publish the running turn as work for an engine."""
    state, turn = decision.state, decision.state.turn
    assert turn is not None
    asked = [message for message in state.unanswered if message.message_id in turn.asked]
    event = TurnRequested(
        meta=decision.meta(),
        turn_id=turn.turn_id,
        message_id=turn.message_id,
        ownership=turn.ownership,
        asked=asked,
        recent=[message for message in state.recent if message.message_id not in turn.asked],
        channel=state.channel,
        locale=state.locale,
        deadline=stamp(turn.deadline),
        gateway_ids=state.gateways,
        dialogue_state=state.dialogue,
        group=rules.group,
        attempt=turn.attempt,
    )
    decision.send(to_engines(rules.group), event)


def cancel(decision: Decision, reason: str) -> None:
    """Nobody waits for the running turn any more; what was shown of it is closed."""
    turn = decision.state.turn
    if turn is None:
        return
    cancel_upstream(decision, turn, reason)
    finished = (*decision.state.finished, turn.turn_id)[-FINISHED_KEPT:]
    decision.change(f"cancelled the turn: {reason}", turn=None, finished=finished)
    if turn.begun:
        decision.store_message(_cut_short(turn, decision.trace_id))
    _finish(decision, turn, "cancelled", "")


def cancel_upstream(decision: Decision, turn: RunningTurn, reason: str = "deadline") -> None:
    """Tell the engine, when it is known, that nobody waits any more."""
    if turn.engine_id:
        event = TurnCancelled(meta=decision.meta(), turn_id=turn.turn_id, reason=reason)
        decision.send(to_engine_replica(turn.engine_id), event)


def supersede_or_wait(decision: Decision) -> None:
    """A newer message: a turn of which nothing was shown is cancelled, so that one answer covers both."""
    turn = decision.state.turn
    if turn is not None and not turn.begun:
        cancel(decision, "superseded")


def started(decision: Decision, event: TurnStarted) -> None:
    """An engine begins to show its answer."""
    turn = decision.state.turn
    if turn is None or turn.turn_id != event.turn_id:
        if event.turn_id in decision.state.finished:
            cancelled = TurnCancelled(meta=decision.meta(), turn_id=event.turn_id, reason="superseded")
            decision.send(to_engine_replica(event.engine_id), cancelled)
        return
    decision.change(turn=replace(turn, engine_id=event.engine_id, begun=True))


def completed(decision: Decision, event: TurnCompleted, rules: Rules) -> None:
    """An answer: stored once, and only while its turn runs under the same ownership."""
    turn = _accepted_turn(decision, event.turn_id, event.ownership)
    if turn is None:
        return
    reply = Message()
    reply.CopyFrom(event.reply)
    reply.message_id, reply.turn_id = turn.message_id, turn.turn_id
    reply.trace_id = reply.trace_id or decision.trace_id
    _end(decision, turn)
    if event.dialogue_state:
        decision.change(dialogue=event.dialogue_state)
    decision.store_message(reply)
    remember(decision, reply)
    later = tuple(message for message in decision.state.unanswered if message.message_id not in turn.asked)
    decision.change(unanswered=later)
    decision.change(f"answered: {reply.origin}{f' ({event.handoff.reason})' if event.HasField('handoff') else ''}")
    if event.HasField("handoff"):
        hand_over(decision, event.handoff, turn.turn_id)
        _finish(decision, turn, "person", reply.origin)
    else:
        _finish(decision, turn, "answer", reply.origin)
        ask_if_needed(decision, rules)


def failed(decision: Decision, event: TurnFailed) -> None:
    """The engine gave up."""
    turn = _accepted_turn(decision, event.turn_id, event.ownership)
    if turn is not None:
        fall_back(decision, turn, "engine_failed", event.reason)


def fall_back(decision: Decision, turn: RunningTurn, reason: str, detail: str) -> None:
    """No answer: say so, and ask for a person."""
    _end(decision, turn)
    language = "en" if decision.state.locale.lower().startswith("en") else "zh"
    message = Message(
        message_id=turn.message_id,
        sender=Sender(kind=SenderKind.SENDER_KIND_ENGINE, name="Parley"),
        text=NO_ANSWER[language],
        origin="rule",
        finish_reason="deadline" if reason == "deadline" else "error",
        notice="no_answer",
        trace_id=decision.trace_id,
        turn_id=turn.turn_id,
        channel=decision.state.channel,
    )
    decision.store_message(message)
    decision.change(f"no answer ({reason}: {detail})", unanswered=())
    hand_over(decision, Handoff(reason=reason), turn.turn_id)
    _finish(decision, turn, "fallback", "rule")


def hand_over(decision: Decision, handoff: Handoff, turn_id: str) -> None:
    """The conversation waits for a person from now on."""
    decision.change(
        status=WAITING, waiting_since=decision.now, waiting_reason=handoff.reason, idle_at=None, unanswered=()
    )
    decision.store_change(handoff.reason)
    decision.fact(
        HandoffRequested(meta=decision.meta(), session_id=decision.state.session, turn_id=turn_id, handoff=handoff)
    )


def stopped(decision: Decision, event: StopRequested) -> None:
    """The visitor pressed stop; what they asked is taken as answered."""
    turn = decision.state.turn
    if turn is not None and event.message_id in ("", turn.message_id):
        cancel(decision, "stopped")
        decision.change(unanswered=())


def join(decision: Decision, gateway_id: str) -> None:
    """A gateway began to show the session: whoever writes now must know."""
    turn = decision.state.turn
    if turn is not None and turn.engine_id:
        event = TurnJoined(meta=decision.meta(), turn_id=turn.turn_id, gateway_id=gateway_id)
        decision.send(to_engine_replica(turn.engine_id), event)


def remember(decision: Decision, message: Message) -> None:
    """Keep a message as history for the next turns, shortened and without its sources."""
    kept = Message(message_id=message.message_id, sender=message.sender, text=message.text[:RECENT_TEXT])
    decision.change(recent=(*decision.state.recent, kept)[-RECENT_KEPT:])


def _accepted_turn(decision: Decision, turn_id: str, ownership: int) -> RunningTurn | None:
    """The running turn, when this result is its first and nobody took over; else the result is refused, visibly."""
    turn, state = decision.state.turn, decision.state
    if turn is not None and turn.turn_id == turn_id and turn.ownership == ownership == state.ownership:
        return turn
    if ownership != state.ownership:
        reason = "ownership"
    else:
        reason = "second_result" if turn_id in state.finished else "unknown_turn"
    decision.duplicates += 1
    refused = ReplyRefused(meta=decision.meta(), session_id=state.session, turn_id=turn_id, reason=reason)
    decision.fact(refused)
    return None


def _end(decision: Decision, turn: RunningTurn) -> None:
    decision.change(turn=None, finished=(*decision.state.finished, turn.turn_id)[-FINISHED_KEPT:])


def _finish(decision: Decision, turn: RunningTurn, outcome: str, origin: str) -> None:
    took = max(0, int((decision.now - turn.requested_at) * 1000))
    decision.fact(
        TurnFinished(
            meta=decision.meta(),
            session_id=decision.state.session,
            turn_id=turn.turn_id,
            outcome=outcome,
            origin=origin,
            duration_ms=took,
        )
    )


def _cut_short(turn: RunningTurn, trace_id: str) -> Message:
    """Closes a preview that will never be finished."""
    return Message(
        message_id=turn.message_id,
        sender=Sender(kind=SenderKind.SENDER_KIND_ENGINE, name="Parley"),
        origin="rule",
        finish_reason="cancelled",
        notice="stopped",
        trace_id=trace_id,
        turn_id=turn.turn_id,
    )


def _derived(prefix: str, state: SessionState, number: int) -> str:
    """An id that a repeated step makes again."""
    text = f"{state.tenant}\x1f{state.session}\x1f{state.epoch}\x1f{prefix}\x1f{number}"
    return f"{prefix}_{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"
