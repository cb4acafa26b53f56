"""What the stand-in does with one request: said by the test, never made up."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

FAULTS: Final = frozenset({
    "",
    "hang",  # no headers, ever
    "reset",  # the connection is torn down instead of an answer
    "html",  # 200 with a web page
    "stall",  # some text, then silence on an open connection
    "drip",  # text without an end
    "cut",  # the body ends properly, without finish reason and end mark
    "cut_after_finish",  # the finish reason came, usage and end mark did not
    "broken",  # the connection is torn down in the middle of the body
    "malformed",  # a chunk that is not JSON
    "error",  # an error object in the stream, after a status of 200
    "no_usage",
    "null_choices",  # the chunk with the usage has `choices: null`
    "wrong_model",  # another model's name comes back
    "split",  # every write ends inside a character
    "joined",  # several events in one write
    "crlf",  # lines end with CR LF
    "bad_tool_json",  # tool arguments that are no JSON
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool that the scripted model wants to be called."""

    name: str
    arguments: str = "{}"
    id: str = "call_1"


@dataclass(frozen=True, slots=True)
class Script:
    """One answer. Seconds are real ones; `after` counts pieces of text before the fault."""

    text: str = "七天内可以退货。"
    echo: bool = False  # the last user text instead of `text`
    thinking: str = ""
    tools: tuple[ToolUse, ...] = ()
    finish: str = ""  # stop, length, tool_calls, content_filter; by default what fits
    status: int = 200
    error: str = ""  # the vendor's code for the error; by default what fits the status
    retry_after: str | None = None  # the header as it is sent, garbage included
    headers: Mapping[str, str] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    first_byte_seconds: float = 0.0
    chunk_seconds: float = 0.0
    chunk_chars: int = 4
    cached_tokens: int = 0
    fault: str = ""
    after: int = 2

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"no fault is called {self.fault!r}; there are: {', '.join(sorted(FAULTS))}")

    @staticmethod
    def from_json(text: str) -> "Script":
        """Read the header `x-stand-in`: {"mode": "slow", "text": "…"}; a mode and what differs from it."""
        given: dict[str, Any] = json.loads(text)
        mode = MODES[given.pop("mode", "plain")]
        if "tools" in given:
            given["tools"] = tuple(ToolUse(**tool) for tool in given["tools"])
        return dataclasses.replace(mode, **given)


MODES: Final[Mapping[str, Script]] = MappingProxyType({
    "plain": Script(),
    "echo": Script(echo=True),
    "slow": Script(first_byte_seconds=0.3, chunk_seconds=0.05),
    "rate_limited": Script(status=429, retry_after="2"),
    "quota": Script(status=429, error="insufficient_quota"),
    "server_error": Script(status=500),
    "overloaded": Script(status=503),
    "unauthorized": Script(status=401),
    "forbidden": Script(status=403),
    "too_long": Script(status=400, error="context_length_exceeded"),
    "filtered": Script(finish="content_filter"),
    "tools": Script(text="", tools=(ToolUse("order_status", '{"order_id":"A-1001"}'),)),
    **{fault: Script(fault=fault) for fault in sorted(FAULTS - {"", "bad_tool_json"})},
    "bad_tool_json": Script(text="", tools=(ToolUse("order_status", '{"order_id":'),)),
})  # fmt: skip
