"""The messages that end turns: an engine's reply, the words that there is none, and the close of what was shown."""

import re

from parley.contracts.v1 import Message, Sender, SenderKind, StreamEvent, TurnCompleted
from parley_session_router.machine.decision import ENGINE, Decision
from parley_session_router.machine.state import RunningTurn, SessionState

_CHINESE = re.compile("[\u3400-\u9fff]")
NO_ANSWER = {
    "zh": "抱歉，现在没能得到答案。已请一位同事来接手，请稍候。",
    "en": "Sorry, there is no answer right now. A person will take over; please wait a moment.",
}


def reply_of(event: TurnCompleted, turn: RunningTurn, decision: Decision) -> StreamEvent:
    """The engine's message under the ids that the turn has promised."""
    entry = StreamEvent()
    reply = entry.message_end
    reply.CopyFrom(event.reply)
    reply.message_id, reply.turn_id = turn.message_id, turn.turn_id
    reply.sender.kind = ENGINE
    reply.trace_id = reply.trace_id or decision.trace_id
    reply.channel = decision.state.channel
    reply.finish_reason = reply.finish_reason or "stop"
    return entry


def ending(
    decision: Decision, turn_id: str, message_id: str, *, finish: str, sender: SenderKind.ValueType, text: str = ""
) -> StreamEvent:
    """Ends a turn that has no answer, and the preview of one, if there is any."""
    end = Message(
        message_id=message_id,
        sender=Sender(kind=sender, name="Parley"),
        text=text,
        origin="rule",
        finish_reason=finish,
        trace_id=decision.trace_id,
        turn_id=turn_id,
        channel=decision.state.channel,
    )
    return StreamEvent(message_end=end)


def no_answer(state: SessionState) -> str:
    """Says that there is no answer, in the language of the question; in the visitor's when it has no words."""
    asked = "".join(message.text for message in state.unanswered)
    in_chinese = _CHINESE.search(asked) if asked else state.locale.lower().startswith("zh")
    return NO_ANSWER["zh" if in_chinese else "en"]
