"""E-mail: a letter, or an archive of them; the subject is the title, what was quoted of earlier letters is left out."""

import mailbox
import re
from collections.abc import Iterable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Final

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.formats.html_page import text_of
from parley_knowledge.ingest.formats.port import PACKED_BYTES, Format, Found
from parley_knowledge.ingest.markdown import escaped
from parley_knowledge.ingest.refusal import Refusal, Refused

MOST_LETTERS: Final = 20_000
_QUOTED = re.compile(r"^\s*>|^\s*-{3,}\s*(?:original message|原始邮件)", re.I)
_BEFORE = re.compile(r"^\s*(?:on .{5,200} wrote:|在.{5,200}写道[：:])\s*$", re.I)


def _read(found: Found) -> Iterable[Draft | Refusal]:
    data = found.data(PACKED_BYTES)
    if found.path.suffix.lower() == ".eml":
        yield _draft(message_from_bytes(data, policy=policy.default), found.uri, found.title)
        return
    if not data.lstrip().startswith(b"From "):
        raise Refused('is not an archive of letters: it does not begin with "From "')
    for number, letter in enumerate(_letters(found), 1):
        if number > MOST_LETTERS:
            yield Refusal(found.uri, f"holds more than {MOST_LETTERS} letters; the rest is left out, split it")
            return
        try:
            yield _draft(letter, f"{found.uri}#{_name(letter) or number}", f"{found.title} {number}")
        except Refused as refused:
            yield Refusal(f"{found.uri}#{number}", str(refused))


def _letters(found: Found) -> Iterator[EmailMessage]:
    box = mailbox.mbox(str(found.path), create=False)
    for key in box.iterkeys():
        letter = message_from_bytes(box.get_bytes(key), policy=policy.default)
        assert isinstance(letter, EmailMessage)
        yield letter


def _name(letter: Any) -> str:
    return str(letter.get("message-id", "")).strip(" <>\r\n\t")[:200]


def _draft(letter: Any, uri: str, title: str) -> Draft:
    body = letter.get_body(preferencelist=("plain", "html"))
    if body is None or not letter.get("from"):
        raise Refused("is not a letter with a text")
    try:
        content = str(body.get_content())
    except (LookupError, UnicodeError, KeyError) as error:
        raise Refused(f"has a text that cannot be decoded: {error}") from None
    text = text_of(content) if body.get_content_type() == "text/html" else escaped(_own(content))
    if not text.strip():
        raise Refused("holds no text of its own")
    return Draft(uri, " ".join(str(letter.get("subject", "")).split()) or title, text)


def _own(text: str) -> str:
    """What the writer wrote: without quoted lines, what announces them, and what follows the original's mark."""
    kept: list[str] = []
    for line in text.splitlines():
        if re.match(r"^-- ?$", line) or "原始邮件" in line or re.match(r"^\s*-+ ?original message", line, re.I):
            break
        if not _QUOTED.match(line) and not _BEFORE.match(line):
            kept.append(line)
    return "\n".join(kept)


FORMAT = Format("e-mail", (".eml", ".mbox"), _read)
