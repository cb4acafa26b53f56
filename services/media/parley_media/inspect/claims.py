"""What an upload says of itself: the end of its name, its declared type and its first bytes must agree."""

import re
from dataclasses import dataclass

from parley_media.inspect.names import ending_of
from parley_media.refusals import Code, Refused

UPLOAD_BYTES = 5 * 1024 * 1024
SEND_INSTEAD = "send a picture as PNG, JPEG, WebP or GIF"


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of picture that is taken. `name` is Pillow's."""

    name: str
    endings: frozenset[str]
    mime_types: frozenset[str]
    magic: re.Pattern[bytes]


FORMATS = (
    Format("PNG", frozenset({"png"}), frozenset({"image/png", "image/x-png"}), re.compile(rb"\x89PNG\r\n\x1a\n")),
    Format(
        "JPEG",
        frozenset({"jpg", "jpeg"}),
        frozenset({"image/jpeg", "image/jpg", "image/pjpeg"}),
        re.compile(rb"\xff\xd8\xff"),
    ),
    Format("WEBP", frozenset({"webp"}), frozenset({"image/webp"}), re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    Format("GIF", frozenset({"gif"}), frozenset({"image/gif"}), re.compile(rb"GIF8[79]a")),
)


def agreed_format(name: str, declared_type: str, content: bytes) -> Format:
    """The format that name, declared type and first bytes agree on. Raises Refused, the cheapest reason first."""
    _check_size(content)
    by_name = next((f for f in FORMATS if ending_of(name) in f.endings), None)
    if by_name is None:
        raise Refused(Code.UNSUPPORTED_TYPE, f"{_kind(name)} cannot be sent; {SEND_INSTEAD}")
    mime_type = declared_type.partition(";")[0].strip().lower()
    if not any(mime_type in f.mime_types for f in FORMATS):
        raise Refused(Code.UNSUPPORTED_TYPE, f"the declared type is not that of a picture; {SEND_INSTEAD}")
    if mime_type not in by_name.mime_types:
        raise Refused(Code.TYPE_MISMATCH, f"a .{ending_of(name)} file was declared as {mime_type}; {_agree(by_name)}")
    by_content = next((f for f in FORMATS if f.magic.match(content)), None)
    if by_content is None:
        raise Refused(Code.NOT_AN_IMAGE, f"the file does not begin like a picture; {SEND_INSTEAD}")
    if by_content is not by_name:
        raise Refused(Code.TYPE_MISMATCH, f"a .{ending_of(name)} file holds {by_content.name}; {_agree(by_content)}")
    return by_name


def _check_size(content: bytes) -> None:
    if not content:
        raise Refused(Code.NO_FILE, "the file is empty or missing; choose a picture and send it again")
    if len(content) > UPLOAD_BYTES:
        raise Refused(Code.TOO_LARGE, "the file is larger than 5 MB (5,242,880 bytes); send a smaller picture")


def _kind(name: str) -> str:
    ending = ending_of(name)
    return f".{ending} files" if ending.isalnum() else "a file whose name has no ending"


def _agree(wanted: Format) -> str:
    return f"name it .{min(wanted.endings)} and declare it as image/{wanted.name.lower()}"
