"""The session machine: `step(state, input, now) -> Decision`. Pure: no I/O, no clock, no chance."""

from parley_session_router.machine.decision import Answered, Decision, Entry
from parley_session_router.machine.messages import WEB, input_key
from parley_session_router.machine.state import (
    ASSIGNED,
    CLOSED,
    NEW,
    OPEN,
    WAITING,
    GatewayGone,
    Resumed,
    Rules,
    RunningTurn,
    SessionState,
    TimeCame,
)
from parley_session_router.machine.step import Input, step

__all__ = [
    "ASSIGNED",
    "CLOSED",
    "NEW",
    "OPEN",
    "WAITING",
    "WEB",
    "Answered",
    "Decision",
    "Entry",
    "GatewayGone",
    "Input",
    "Resumed",
    "Rules",
    "RunningTurn",
    "SessionState",
    "TimeCame",
    "input_key",
    "step",
]
