"""One step: what an input means for a session. The table at the end is the whole list of inputs."""

from collections.abc import Callable
from typing import Any

from parley.bus import Event
from parley.contracts.v1 import (
    CloseRequested,
    HandbackRequested,
    MessageReceived,
    MessagesRead,
    SendMessage,
    ShardProbed,
    StopRequested,
    StreamAttached,
    StreamDetached,
    TakeoverRequested,
    TurnCompleted,
    TurnFailed,
    TurnStarted,
    VisitorTyping,
)
from parley_session_router.machine import bursts, commands, messages, turning
from parley_session_router.machine.decision import Decision
from parley_session_router.machine.state import (
    OPEN,
    GatewayGone,
    Resumed,
    Rules,
    SessionState,
    TimeCame,
)

Input = (
    MessageReceived
    | SendMessage
    | StreamAttached
    | StreamDetached
    | VisitorTyping
    | MessagesRead
    | StopRequested
    | TakeoverRequested
    | HandbackRequested
    | CloseRequested
    | ShardProbed
    | TurnStarted
    | TurnCompleted
    | TurnFailed
    | TimeCame
    | GatewayGone
    | Resumed
)


def step(
    state: SessionState,
    event: Input,
    now: float,
    rules: Rules,
    *,
    traceparent: str = "",
    hears: Callable[[type[Event]], bool] = lambda _: True,
) -> Decision:
    """Decide. The same state, input and time always decide the same; a repeated input has no second effect.

    Raises Reject for an input that can never mean anything.
    """
    decision = Decision(state, now, traceparent, hears)
    if rules.bots:
        rules = rules.of(state.tenant, state.channel or getattr(event, "channel", ""))
    _STEPS[type(event)](decision, event, rules)
    if decision.entries:  # somebody said or did something: silence is counted from now
        decision.change(idle_at=now + rules.idle_seconds if decision.state.status == OPEN else None)
    return decision


def _attached(decision: Decision, event: StreamAttached, rules: Rules) -> None:
    messages.attach(decision, event.gateway_id)
    decision.heads.append(event.gateway_id)
    turning.join(decision, event.gateway_id)


def _detached(decision: Decision, event: StreamDetached | GatewayGone, rules: Rules) -> None:
    left = tuple(gateway for gateway in decision.state.gateways if gateway != event.gateway_id)
    if left != decision.state.gateways:
        decision.change(gateways=left)


def _passing(decision: Decision, event: MessagesRead | ShardProbed, rules: Rules) -> None:
    """Reading and probes are passing signals: nothing is decided by them."""


def _typing(decision: Decision, event: VisitorTyping, rules: Rules) -> None:
    bursts.hold(decision, rules)


def _time_came(decision: Decision, event: TimeCame, rules: Rules) -> None:
    """The timer may ring late, with all of them due: what ends a turn says something, so nobody was silent."""
    turning.out_of_time(decision, rules)
    bursts.start_held(decision, rules)
    state = decision.state
    if state.turn is not None or state.starts_at is not None or decision.entries:
        return
    if state.idle_at is not None and decision.now >= state.idle_at:
        commands.end(decision, "idle")


def _resumed(decision: Decision, event: Resumed, rules: Rules) -> None:
    if decision.state.turn is not None:
        turning.request(decision, decision.state.turn, rules)


def _started(decision: Decision, event: TurnStarted, rules: Rules) -> None:
    turning.started(decision, event)


def _failed(decision: Decision, event: TurnFailed, rules: Rules) -> None:
    turning.failed(decision, event)


_STEPS: dict[type, Callable[[Decision, Any, Rules], None]] = {
    MessageReceived: messages.received,
    SendMessage: messages.send,
    StreamAttached: _attached,
    StreamDetached: _detached,
    GatewayGone: _detached,
    VisitorTyping: _typing,
    MessagesRead: _passing,
    ShardProbed: _passing,
    StopRequested: commands.stop,
    TakeoverRequested: commands.take_over,
    HandbackRequested: commands.hand_back,
    CloseRequested: commands.close,
    TimeCame: _time_came,
    Resumed: _resumed,
    TurnStarted: _started,
    TurnCompleted: turning.completed,
    TurnFailed: _failed,
}
