"""From bytes to text: UTF-8, GB18030 or UTF-16, and nothing that is no text at all."""

import codecs
import re
from typing import Final

from parley_knowledge.ingest.refusal import Refused

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# What Chinese and English prose is made of. Random bytes decode to mostly other characters.
_PROSE = re.compile(r"[\t\n\r\f -~\u00a0-\u00ff\u2000-\u206f\u2460-\u24ff\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]")
PROSE_SHARE: Final = 0.9
_UTF16_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(data: bytes) -> str:
    """The text of a file. Raises Refused when it is empty, binary or in another encoding."""
    if not data.strip(b"\0 \t\r\n"):
        raise Refused("is empty")
    for encoding in _candidates(data):
        text = _decoded(data, encoding)
        if text is not None:
            if not text.strip():
                raise Refused("is empty")
            return text.replace("\r\n", "\n").replace("\r", "\n")
    if b"\0" in data or _CONTROL.search(data[:4096].decode("latin-1")):
        raise Refused("is binary, not text")
    raise Refused("is neither UTF-8, GB18030 nor UTF-16; save it as UTF-8")


def _candidates(data: bytes) -> tuple[str, ...]:
    if data.startswith(_UTF16_BOMS):
        return ("utf-16",)
    # Without a mark at its beginning UTF-16 is known by the zeros of its spaces, digits and line ends.
    return ("utf-16-le", "utf-16-be") if b"\0" in data else ("utf-8-sig", "gb18030")


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding).lstrip("\ufeff")
    except UnicodeDecodeError:
        return None
    if _CONTROL.search(text):
        return None
    # UTF-8 cannot be mistaken for anything else, the others can.
    return text if encoding == "utf-8-sig" or _prose(text) else None


def _prose(text: str) -> bool:
    telling = [c for c in text if c > "\x7f"] or text
    return sum(1 for c in telling if _PROSE.match(c)) >= PROSE_SHARE * len(telling)
