"""Anthropic's messages, with the refusals of API version 2026-10-21."""

from collections.abc import Iterator
from typing import Any

from parley.testing.model.ledger import Call
from parley.testing.model.script import Script
from parley.testing.model.tokens import count_prompt, count_tokens
from parley.testing.model.wire import Frame, Refusal, dump, pieces, said

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    529: "overloaded_error",
}
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
STRICT_VERSION = "2026-10-21"
_SAMPLING = ("temperature", "top_p", "top_k")


def refuse(status: int, code: str = "", message: str = "scripted") -> Refusal:
    """An error as the vendor writes it; `code` is its type."""
    error: dict[str, Any] = {"type": _TYPES.get(status, "api_error"), "message": message}
    if code == "context_length_exceeded":
        error["message"] = "prompt is too long: 200001 tokens > 200000 maximum"
    elif code == "enforced_spend_limit_reached":
        error["details"] = {"error_code": code}
    elif code in _TYPES.values():
        error["type"] = code
    body = {"type": "error", "error": error, "request_id": "req_stand_in"}
    return Refusal(status, body, {"request-id": "req_stand_in"})


def check(call: Call, version: str) -> None:
    """What the vendor would refuse. Raises Refusal."""
    body = call.body
    if not version:
        raise refuse(400, message="anthropic-version: header is required")
    if not body.get("messages") or not body.get("model") or not isinstance(body.get("max_tokens"), int):
        raise refuse(400, message="messages, model and max_tokens are required")
    if any(message.get("role") not in ("user", "assistant") for message in body["messages"]):
        raise refuse(400, message="messages: roles are user and assistant; system is a field of its own")
    if version >= STRICT_VERSION and (sent := [name for name in _SAMPLING if name in body]):
        raise refuse(400, message=f"{sent[0]}: not supported as of {STRICT_VERSION}")
    call.input_tokens = count_prompt(body["messages"], body.get("system"), body.get("tools"))


def frames(call: Call, script: Script) -> Iterator[Frame]:
    """The stream, event by event; notes in the call what it costs."""
    yield _event("message_start", {"message": _message(call, script, output=1)})
    index = 0
    if script.thinking:
        yield from _thinking(script)
        index += 1
    yield _event("ping", {})
    if text := said(call, script):
        yield _start(index, {"type": "text", "text": ""})
        for piece in pieces(text, script):
            call.output_tokens += count_tokens(piece)
            yield _delta(index, {"type": "text_delta", "text": piece}, "text")
        yield _event("content_block_stop", {"index": index})
        index += 1
    for tool in script.tools:
        yield _start(index, {"type": "tool_use", "id": tool.id, "name": tool.name, "input": {}})
        yield _delta(index, {"type": "input_json_delta", "partial_json": ""})
        for at in range(0, len(tool.arguments), 5):
            fragment = tool.arguments[at : at + 5]
            call.output_tokens += count_tokens(fragment)
            yield _delta(index, {"type": "input_json_delta", "partial_json": fragment}, "text")
        yield _event("content_block_stop", {"index": index})
        index += 1
    usage = {} if script.fault == "no_usage" else {"usage": {"output_tokens": call.output_tokens}}
    delta = {"stop_reason": _stop(script), "stop_sequence": None}
    yield _event("message_delta", {"delta": delta, **(usage or {"usage": {"output_tokens": 0}})}, "usage")
    yield _event("message_stop", {}, "end")


def whole(call: Call, script: Script) -> dict[str, Any]:
    """The answer of a request without streaming."""
    text = said(call, script)
    call.output_tokens = count_tokens(text) + sum(count_tokens(tool.arguments) for tool in script.tools)
    content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    content += [{"type": "tool_use", "id": t.id, "name": t.name, "input": t.arguments} for t in script.tools]
    return {**_message(call, script, output=call.output_tokens), "content": content, "stop_reason": _stop(script)}


def error_frame() -> Frame:
    """An error in the middle of the stream."""
    return _event("error", {"error": {"type": "overloaded_error", "message": "scripted"}})


def _message(call: Call, script: Script, *, output: int) -> dict[str, Any]:
    usage = {
        "input_tokens": call.input_tokens - call.cached_tokens,
        "cache_read_input_tokens": call.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": output,
    }
    return {
        "id": f"msg_{id(call):x}",
        "type": "message",
        "role": "assistant",
        "model": "another-model" if script.fault == "wrong_model" else call.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _thinking(script: Script) -> Iterator[Frame]:
    yield _start(0, {"type": "thinking", "thinking": "", "signature": ""})
    yield _delta(0, {"type": "thinking_delta", "thinking": script.thinking})
    yield _delta(0, {"type": "signature_delta", "signature": "c3RhbmQtaW4="})
    yield _event("content_block_stop", {"index": 0})


def _stop(script: Script) -> str:
    return _STOPS.get(script.finish or ("tool_calls" if script.tools else "stop"), script.finish)


def _start(index: int, block: dict[str, Any]) -> Frame:
    return _event("content_block_start", {"index": index, "content_block": block})


def _delta(index: int, delta: dict[str, Any], kind: str = "other") -> Frame:
    return _event("content_block_delta", {"index": index, "delta": delta}, kind)


def _event(name: str, value: dict[str, Any], kind: str = "other") -> Frame:
    return Frame(f"event: {name}\ndata: {dump({'type': name, **value})}\n\n", kind)
