"""How a stream goes wrong: frames in, steps of the connection out. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from parley.testing.model.script import Script
from parley.testing.model.wire import Frame


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes of one write to the socket; `kind` as of the frame they end."""

    data: bytes
    kind: str = "other"


@dataclass(frozen=True, slots=True)
class Stop:
    """No more bytes: `end` closes the body properly, `broken` tears the connection down, `stall` keeps it open."""

    how: str


def steps(frames: Iterator[Frame], script: Script, error: Frame) -> Iterator[Write | Stop]:
    """What the server does, one after the other; the last one is a Stop."""
    shown = 0
    for frame in frames:
        if frame.kind == "text":
            shown += 1
        due = shown > script.after or frame.kind in {"finish", "usage"}  # an answer may be shorter than `after`
        if due and (struck := _strike(script.fault, frame, error)):
            yield from struck
            return
        yield from _written(frame, script)
        if script.fault == "cut_after_finish" and frame.kind == "finish":
            break
    yield Stop("end")


def _strike(fault: str, frame: Frame, error: Frame) -> tuple[Write | Stop, ...]:
    return {
        "stall": (Stop("stall"),),
        "cut": (Stop("end"),),
        "broken": (Stop("broken"),),
        "malformed": (Write(frame.text[: len(frame.text) * 2 // 3].encode() + b"\n\n"), Stop("end")),
        "error": (Write(error.text.encode()), Stop("end")),
    }.get(fault, ())


def _written(frame: Frame, script: Script) -> Iterator[Write]:
    data = frame.text.encode()
    if script.fault == "crlf":
        data = data.replace(b"\n", b"\r\n")
    cut = _inside_a_character(data)
    if script.fault == "split" and cut:
        yield Write(data[:cut])
        data = data[cut:]
    yield Write(data, frame.kind)


def _inside_a_character(data: bytes) -> int:
    """A place in the middle of the first character of several bytes; 0 where there is none."""
    return next((at for at, byte in enumerate(data) if byte & 0xC0 == 0x80), 0)
