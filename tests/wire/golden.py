"""Golden bytes: what each event looked like on the wire when it was first released.

`python -m tests.wire.golden` writes the files of events that have none yet; it never changes one that is there, since
bytes that were once published must be readable for ever.
"""

from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from parley.bus import EVENT_TYPES
from parley.contracts import v1

FOLDER = Path(__file__).parent / "golden"
FRAMES = {"ClientFrame": v1.ClientFrame, "ServerFrame": v1.ServerFrame, "Batch": v1.Batch}
EVENTS: Any = EVENT_TYPES  # every event is a generated message, which its protocol does not say
KINDS: dict[str, type[Message]] = {**EVENTS, **FRAMES}

_TEXT = "退款 refund 🙂"
_VALUES = {
    FieldDescriptor.CPPTYPE_STRING: _TEXT,
    FieldDescriptor.CPPTYPE_BOOL: True,
    FieldDescriptor.CPPTYPE_UINT32: 4_000_000_000,
    FieldDescriptor.CPPTYPE_UINT64: 2**53,
    FieldDescriptor.CPPTYPE_INT64: 1_800_000_000,
    FieldDescriptor.CPPTYPE_INT32: 500_000_000,
    FieldDescriptor.CPPTYPE_DOUBLE: 0.5,
    FieldDescriptor.CPPTYPE_ENUM: 1,
}


def filled(kind: type[Message]) -> Message:
    """A message with every field set; of a oneof the first."""
    message = kind()
    taken: set[str] = set()
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof.name if field.containing_oneof else ""
        if oneof and oneof in taken:
            continue
        taken.add(oneof)
        _fill(message, field)
    return message


def _fill(message: Message, field: Any) -> None:
    if field.message_type and field.message_type.GetOptions().map_entry:
        getattr(message, field.name)[_TEXT] = _TEXT
    elif field.message_type:
        target = getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name)
        target.CopyFrom(filled(type(target)))
    elif field.is_repeated:
        getattr(message, field.name).append(_value(field))
    else:
        setattr(message, field.name, _value(field))


def _value(field: Any) -> object:
    return b"\x00\xff" if field.type == FieldDescriptor.TYPE_BYTES else _VALUES[field.cpp_type]


def as_json(message: Message) -> str:
    """What the bytes mean, readable in a diff."""
    text = json_format.MessageToJson(message, preserving_proto_field_name=True, ensure_ascii=False, sort_keys=True)
    return text + "\n"


def write_missing() -> list[str]:
    """Make the files of kinds that have none."""
    made = []
    for name, kind in sorted(KINDS.items()):
        if not (FOLDER / f"{name}.hex").exists():
            message = filled(kind)
            (FOLDER / f"{name}.hex").write_text(message.SerializeToString(deterministic=True).hex() + "\n")
            (FOLDER / f"{name}.json").write_text(as_json(message))
            made.append(name)
    return made


if __name__ == "__main__":
    print("\n".join(write_missing()))
