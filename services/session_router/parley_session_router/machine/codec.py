"""A session's state as bytes. Fields may be added with defaults; what an older release does not know it ignores."""

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

import msgspec

from parley.contracts.v1 import Message, Sender
from parley_session_router.machine.state import RunningTurn, SessionState

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, Any])

_MESSAGES = ("unanswered", "recent")
_SENDERS = ("visitor", "agent")
_PLAIN = tuple(f.name for f in fields(SessionState) if f.name not in (*_MESSAGES, *_SENDERS, "turn"))
_TUPLES: dict[str, Callable[[Any], Any]] = {
    "gateways": tuple,
    "finished": tuple,
    "why": tuple,
    "recent_ids": lambda ids: tuple((key, message_id, seq) for key, message_id, seq in ids),
}


def encode(state: SessionState) -> bytes:
    """Compact and complete."""
    values: dict[str, Any] = {name: getattr(state, name) for name in _PLAIN}
    for name in _SENDERS:
        sender = getattr(state, name)
        values[name] = sender.SerializeToString() if sender is not None else None
    for name in _MESSAGES:
        values[name] = [message.SerializeToString() for message in getattr(state, name)]
    values["turn"] = asdict(state.turn) if state.turn is not None else None
    return _encoder.encode(values)


def decode(data: bytes) -> SessionState:
    """The state as it was encoded; unknown fields are dropped, missing ones have their defaults."""
    values = _decoder.decode(data)
    known: dict[str, Any] = {name: values[name] for name in _PLAIN if name in values}
    for name, convert in _TUPLES.items():
        if name in known:
            known[name] = convert(known[name])
    for name in _SENDERS:
        known[name] = Sender.FromString(values[name]) if values.get(name) is not None else None
    for name in _MESSAGES:
        known[name] = tuple(Message.FromString(data) for data in values.get(name, ()))
    known["turn"] = _turn(values.get("turn"))
    return SessionState(**known)


def _turn(values: dict[str, Any] | None) -> RunningTurn | None:
    if values is None:
        return None
    names = {f.name for f in fields(RunningTurn)}
    known = {name: value for name, value in values.items() if name in names}
    return RunningTurn(**{**known, "asked": tuple(known.get("asked", ()))})
