"""What the two wires share: frames, errors, and the answer as pieces of text."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from parley.testing.model.ledger import Call
from parley.testing.model.script import Script


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream. `kind` is text, finish, usage, end or other."""

    text: str
    kind: str = "other"


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """An answer that is not 200."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


def said(call: Call, script: Script) -> str:
    """The answer's text: the script's, or the last user text."""
    if not script.echo:
        return script.text
    users = [m for m in call.body.get("messages", ()) if m.get("role") == "user"]
    content = users[-1]["content"] if users else ""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content)


def pieces(text: str, script: Script) -> Iterator[str]:
    """The text in pieces of the script's size; without an end where the script says so."""
    size = max(1, script.chunk_chars)
    while True:
        yield from (text[at : at + size] for at in range(0, len(text), size))
        if script.fault != "drip":
            return


def dump(value: Any) -> str:
    """Compact JSON, Chinese as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
