"""Turns: asked, superseded, completed, failed, out of time. Each ends in exactly one outcome."""

import hashlib

from msgspec.structs import replace

from parley.bus.routes import to_engine_replica, to_engines
from parley.contracts.v1 import (
    Handoff,
    HandoffRequested,
    Message,
    ReplyRefused,
    StopRequested,
    TurnCancelled,
    TurnCompleted,
    TurnFailed,
    TurnFinished,
    TurnJoined,
    TurnRequested,
    TurnStarted,
)
from parley_session_router.machine.decision import ENGINE, LAST_TEXT, SYSTEM, Decision, stamp
from parley_session_router.machine.endings import ending, no_answer, reply_of
from parley_session_router.machine.state import (
    FINISHED_KEPT,
    GATEWAYS_KEPT,
    OPEN,
    RECENT_KEPT,
    RECENT_TEXT,
    UNENDED_KEPT,
    WAITING,
    Rules,
    RunningTurn,
    SessionState,
)

ID_WITHIN = 48  # bytes of a kept message, its framing included
DIALOGUE_BYTES = 64 * 1024  # of an engine's own notes; more than that is not carried along


def ask_if_needed(decision: Decision, rules: Rules) -> None:
    """Start a turn when the engine answers, none runs, something is unanswered and nothing is waited for."""
    state = decision.state
    if state.status != OPEN or state.turn is not None or not state.unanswered or state.starts_at is not None:
        return
    number = state.turns + 1
    turn = RunningTurn(
        turn_id=_derived("turn", state, number),
        message_id=_derived("msg", state, number),
        ownership=state.ownership,
        requested_at=decision.now,
        deadline=decision.now + rules.turn_seconds,
        asked=tuple(message.message_id for message in state.unanswered),
        traceparent=decision.traceparent,
    )
    decision.change(f"asked the engine ({len(state.unanswered)} message(s))", turn=turn, turns=number)
    request(decision, turn, rules)


def request(decision: Decision, turn: RunningTurn, rules: Rules) -> None:
    """Publish the running turn as work for an engine. Set field by field, which is much cheaper than by keywords."""
    state = decision.state
    event = TurnRequested.FromString(_rounds_before(state, turn))
    event.meta.tenant_id, event.meta.session_id = state.tenant, state.session
    event.turn_id = turn.turn_id
    event.message_id = turn.message_id
    event.ownership = turn.ownership
    event.asked.extend([message for message in state.unanswered if message.message_id in turn.asked])
    event.channel = state.channel
    event.locale = state.locale
    event.deadline.CopyFrom(stamp(turn.deadline))
    event.gateway_ids.extend(state.gateways)
    event.dialogue_state = state.dialogue
    event.group = rules.group
    event.attempt = turn.attempt
    decision.send(to_engines(rules.group), event)


def cancel(decision: Decision, reason: str) -> None:
    """Nobody waits for the running turn any more; what was shown of it is closed."""
    turn = decision.state.turn
    if turn is None:
        return
    _end(decision, turn, f"cancelled the turn: {reason}")
    if turn.begun:
        end = ending(decision, turn.turn_id, turn.message_id, finish="cancelled", sender=ENGINE)
        decision.store_message(end, end.message_end)
    else:
        unended = (*decision.state.unended, (turn.turn_id, turn.message_id))[-UNENDED_KEPT:]
        decision.change(unended=unended)
    _tell_cancelled(decision, turn, reason)
    _finish(decision, turn, "cancelled", "", reason)


def started(decision: Decision, event: TurnStarted) -> None:
    """An engine begins to show its answer."""
    state = decision.state
    turn = state.turn
    if turn is not None and turn.turn_id == event.turn_id:
        if (event.engine_id, True) != (turn.engine_id, turn.begun):
            decision.change(turn=replace(turn, engine_id=event.engine_id, begun=True, joined=()))
            for gateway in turn.joined:
                join(decision, gateway)
    elif event.turn_id in state.finished and event.engine_id:
        cancelled = TurnCancelled(meta=decision.meta(), turn_id=event.turn_id, reason="superseded")
        decision.send(to_engine_replica(event.engine_id), cancelled)
        _end_preview(decision, event.turn_id)


def completed(decision: Decision, event: TurnCompleted, rules: Rules) -> None:
    """An answer: stored once, and only while its turn runs under the same ownership."""
    turn = _accepted_turn(decision, event.turn_id, event.ownership)
    if turn is None:
        return
    handoff = event.handoff if event.HasField("handoff") else None
    if not (event.reply.text or event.reply.media or handoff):
        fall_back(decision, turn, "engine_failed", "an empty reply")
        return
    entry = reply_of(event, turn, decision)
    reply = entry.message_end
    _end(decision, turn, f"answered: {reply.origin}{f' ({handoff.reason})' if handoff else ''}")
    if 0 < len(event.dialogue_state) <= DIALOGUE_BYTES and event.dialogue_state != decision.state.dialogue:
        decision.change(dialogue=event.dialogue_state)
    decision.store_message(entry, reply)
    remember(decision, reply)
    decision.change(unanswered=_without_asked(decision.state, turn))
    if handoff is not None:
        hand_over(decision, handoff, turn.turn_id)
    _finish(decision, turn, "answer" if handoff is None else "person", reply.origin, handoff.reason if handoff else "")
    ask_if_needed(decision, rules)


def failed(decision: Decision, event: TurnFailed) -> None:
    """The engine gave up."""
    turn = _accepted_turn(decision, event.turn_id, event.ownership)
    if turn is not None:
        fall_back(decision, turn, "engine_failed", event.reason)


def out_of_time(decision: Decision, rules: Rules) -> None:
    """The running turn had its time."""
    turn = decision.state.turn
    if turn is not None and decision.now >= turn.deadline:
        _tell_cancelled(decision, turn, "deadline")
        fall_back(decision, turn, "deadline", f"nothing within {rules.turn_seconds:g} s")


def fall_back(decision: Decision, turn: RunningTurn, reason: str, detail: str) -> None:
    """No answer: say so, and ask for a person."""
    text = no_answer(decision.state)
    finish = "deadline" if reason == "deadline" else "error"
    _end(decision, turn, f"no answer ({reason}: {detail})")
    entry = ending(decision, turn.turn_id, turn.message_id, finish=finish, sender=SYSTEM, text=text)
    message = entry.message_end
    message.notice = "no_answer"
    decision.store_message(entry, message)
    remember(decision, message)
    hand_over(decision, Handoff(reason=reason), turn.turn_id)
    _finish(decision, turn, "fallback", message.origin, reason)


def hand_over(decision: Decision, handoff: Handoff, turn_id: str) -> None:
    """The conversation waits for a person from now on."""
    decision.change(
        status=WAITING, waiting_since=decision.now, waiting_reason=handoff.reason, unanswered=(), starts_at=None
    )
    decision.store_change(handoff.reason)
    decision.fact(
        HandoffRequested(meta=decision.meta(), session_id=decision.state.session, turn_id=turn_id, handoff=handoff)
    )


def stopped(decision: Decision, event: StopRequested) -> None:
    """The visitor pressed stop: what they asked is taken as answered, what they wrote since then is not."""
    turn = decision.state.turn
    if turn is not None and event.message_id in ("", turn.message_id):
        cancel(decision, "stopped")
        decision.change(unanswered=_without_asked(decision.state, turn))
    elif decision.state.starts_at is not None:
        decision.change("stopped before the turn began", unanswered=(), starts_at=None)


def join(decision: Decision, gateway_id: str) -> None:
    """A gateway began to show the session: whoever writes now must know."""
    turn = decision.state.turn
    if turn is None:
        return
    if not turn.engine_id:
        if gateway_id not in turn.joined:
            decision.change(turn=replace(turn, joined=(*turn.joined, gateway_id)[-GATEWAYS_KEPT:]))
    else:
        event = TurnJoined(meta=decision.meta(), turn_id=turn.turn_id, gateway_id=gateway_id)
        decision.send(to_engine_replica(turn.engine_id), event)


def remember(decision: Decision, message: Message) -> None:
    """Keep a message as history for the next turns, shortened and without its sources."""
    said, text = TurnRequested(), message.text
    kept = said.recent.add()
    kept.message_id = message.message_id
    kept.sender.CopyFrom(message.sender)
    kept.text = text[:RECENT_TEXT]
    last = text[:LAST_TEXT] or decision.state.last_text
    decision.change(rounds=(*decision.state.rounds, said.SerializeToString())[-RECENT_KEPT:], last_text=last)


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


def _end_preview(decision: Decision, turn_id: str) -> None:
    """Something of a cancelled turn was shown before anybody knew: close it, or it would stand there for ever."""
    state = decision.state
    shown = next((message_id for turn, message_id in state.unended if turn == turn_id), None)
    if shown is None:
        return
    decision.change(unended=tuple(one for one in state.unended if one[0] != turn_id))
    if state.gateways:  # nobody else is sent previews
        end = ending(decision, turn_id, shown, finish="cancelled", sender=ENGINE)
        decision.store_message(end, end.message_end)


def _rounds_before(state: SessionState, turn: RunningTurn) -> bytes:
    """What was said before this turn's question, not parsed: a message's id stands at the beginning of its bytes.

    The question's messages are nearly always the last ones.
    """
    rounds, asked = state.rounds, [message_id.encode() for message_id in turn.asked]
    while rounds and asked and asked[-1] in rounds[-1][:ID_WITHIN]:
        rounds, asked = rounds[:-1], asked[:-1]
    if asked:
        rounds = tuple(said for said in rounds if not any(one in said[:ID_WITHIN] for one in asked))
    return b"".join(rounds)


def _without_asked(state: SessionState, turn: RunningTurn) -> tuple[Message, ...]:
    """What the visitor wrote that this turn was not asked."""
    return tuple(message for message in state.unanswered if message.message_id not in turn.asked)


def _tell_cancelled(decision: Decision, turn: RunningTurn, reason: str) -> None:
    """To the engine that works on it when it is known, and as a fact to whoever keeps accounts."""
    if turn.engine_id:
        event = TurnCancelled(meta=decision.meta(), turn_id=turn.turn_id, reason=reason)
        decision.send(to_engine_replica(turn.engine_id), event)
    decision.fact(TurnCancelled(meta=decision.meta(), turn_id=turn.turn_id, reason=reason))


def _end(decision: Decision, turn: RunningTurn, why: str) -> None:
    decision.change(why, turn=None, finished=(*decision.state.finished, turn.turn_id)[-FINISHED_KEPT:])


def _finish(decision: Decision, turn: RunningTurn, outcome: str, origin: str, reason: str) -> None:
    seconds = max(0.0, decision.now - turn.requested_at)
    decision.outcome, decision.outcome_reason = (outcome, origin, seconds), reason
    if not decision.hears(TurnFinished):
        return
    decision.fact(
        TurnFinished(
            meta=decision.meta(),
            session_id=decision.state.session,
            turn_id=turn.turn_id,
            outcome=outcome,
            origin=origin,
            duration_ms=round(seconds * 1000),
            reason=reason,
        )
    )


def _derived(prefix: str, state: SessionState, number: int) -> str:
    """An id that a repeated step makes again."""
    text = f"{state.tenant}\x1f{state.session}\x1f{state.epoch}\x1f{prefix}\x1f{number}"
    return f"{prefix}_{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"
