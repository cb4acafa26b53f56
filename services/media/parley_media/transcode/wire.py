"""How the service and a decoder process talk: a length, a JSON header with the sizes of the bodies, the bodies."""

import json
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

LENGTH = struct.Struct(">I")


def packed(header: dict[str, Any], bodies: Sequence[bytes] = ()) -> bytes:
    """One frame."""
    head = json.dumps({**header, "sizes": [len(body) for body in bodies]}).encode()
    return b"".join([LENGTH.pack(len(head)), head, *bodies])


def read_frame(stream: BinaryIO) -> tuple[dict[str, Any], list[bytes]] | None:
    """The next frame of a blocking stream; None at its end."""
    prefix = stream.read(LENGTH.size)
    if len(prefix) < LENGTH.size:
        return None
    header: dict[str, Any] = json.loads(stream.read(LENGTH.unpack(prefix)[0]))
    return header, [stream.read(size) for size in header["sizes"]]
