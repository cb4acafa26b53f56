"""OpenAI's chat completions, and DashScope's compatible mode where it differs."""

import base64
import hashlib
import struct
from collections.abc import Iterator
from typing import Any

from parley.testing.model.ledger import Call
from parley.testing.model.script import Script
from parley.testing.model.tokens import count_prompt, count_tokens
from parley.testing.model.wire import Frame, Refusal, dump, pieces, said

_CODES = {
    400: ("invalid_request_error", "invalid_value"),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    500: ("server_error", "server_error"),
    503: ("server_error", "server_is_overloaded"),
}
_QWEN_CODES = {**_CODES, 429: ("Throttling.RateQuota", "Throttling.RateQuota")}
CREATED = 1_790_000_000
STREAM_ONLY = ("qwq", "stream-only")


def refuse(status: int, code: str = "", message: str = "scripted", *, vendor: str = "openai") -> Refusal:
    """An error as the vendor writes it."""
    kind, usual = (_QWEN_CODES if vendor == "dashscope" else _CODES).get(status, ("server_error", "server_error"))
    kind = "insufficient_quota" if code == "insufficient_quota" else kind
    error = {"message": message, "type": kind, "param": None, "code": code or usual}
    extra = {"request_id": "req_stand_in"} if vendor == "dashscope" else {}
    return Refusal(status, {"error": error, **extra}, {"x-request-id": "req_stand_in", "openai-processing-ms": "1"})


def check(call: Call) -> None:
    """What the vendor would refuse. Raises Refusal."""
    body = call.body
    if not isinstance(body.get("messages"), list) or not body["messages"] or not body.get("model"):
        raise refuse(400, "invalid_value", "messages and model are required", vendor=call.vendor)
    if call.vendor == "dashscope" and call.model.startswith(STREAM_ONLY) and not body.get("stream"):
        raise refuse(400, "invalid_parameter_error", "This model only supports stream mode", vendor=call.vendor)
    call.input_tokens = count_prompt(body["messages"], body.get("tools"))


def frames(call: Call, script: Script) -> Iterator[Frame]:
    """The stream, event by event; notes in the call what it costs."""
    usage_asked = bool((call.body.get("stream_options") or {}).get("include_usage"))
    yield _chunk(call, script, {"role": "assistant", "content": ""}, usage_asked=usage_asked)
    if script.thinking and (call.vendor != "dashscope" or call.body.get("enable_thinking")):
        yield _chunk(call, script, {"content": None, "reasoning_content": script.thinking}, usage_asked=usage_asked)
    for piece in pieces(said(call, script), script):
        call.output_tokens += count_tokens(piece)
        yield _chunk(call, script, {"content": piece}, "text", usage_asked=usage_asked)
    for delta in _tool_deltas(call, script):
        yield _chunk(call, script, {"tool_calls": [delta]}, "text", usage_asked=usage_asked)
    yield _chunk(call, script, {}, "finish", finish=_finish(script), usage_asked=usage_asked)
    if usage_asked and script.fault != "no_usage":
        choices: list[Any] | None = None if script.fault == "null_choices" else []
        yield Frame(_data({**_head(call, script), "choices": choices, "usage": usage(call)}), "usage")
    yield Frame("data: [DONE]\n\n", "end")


def whole(call: Call, script: Script) -> dict[str, Any]:
    """The answer of a request without streaming."""
    text = said(call, script)
    call.output_tokens = count_tokens(text) + sum(count_tokens(tool.arguments) for tool in script.tools)
    tools = [
        {"id": t.id, "type": "function", "function": {"name": t.name, "arguments": t.arguments}} for t in script.tools
    ]
    message = {
        "role": "assistant",
        "content": text or None,
        "refusal": None,
        **({"tool_calls": tools} if tools else {}),
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(script)}
    head = {**_head(call, script), "object": "chat.completion"}
    return {**head, "choices": [choice], **({} if script.fault == "no_usage" else {"usage": usage(call)})}


def usage(call: Call) -> dict[str, Any]:
    """What the call cost so far."""
    return {
        "prompt_tokens": call.input_tokens,
        "completion_tokens": call.output_tokens,
        "total_tokens": call.input_tokens + call.output_tokens,
        "prompt_tokens_details": {"cached_tokens": call.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def error_frame() -> Frame:
    """An error in the middle of the stream."""
    error = {"message": "scripted", "type": "server_error", "param": None, "code": "server_error"}
    return Frame(_data({"error": error}))


def embeddings(call: Call) -> dict[str, Any]:
    """Vectors made of a hash: the same text gives the same vector, and nothing else is promised."""
    given = call.body.get("input")
    texts = [given] if isinstance(given, str) else list(given or ())
    if not texts or not all(isinstance(text, str) for text in texts):
        raise refuse(400, "invalid_value", "input must be a text or a list of texts", vendor=call.vendor)
    size = int(call.body.get("dimensions") or 8)
    call.input_tokens = sum(map(count_tokens, texts))
    encoded = call.body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": number, "embedding": _encoded(vector) if encoded else vector}
        for number, vector in enumerate(_vector(text, size) for text in texts)
    ]
    tokens = {"prompt_tokens": call.input_tokens, "total_tokens": call.input_tokens}
    return {"object": "list", "data": data, "model": call.model, "usage": tokens}


def _head(call: Call, script: Script) -> dict[str, Any]:
    model = "another-model" if script.fault == "wrong_model" else call.model
    return {
        "id": f"chatcmpl-{id(call):x}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_stand_in",
    }


def _chunk(
    call: Call, script: Script, delta: dict[str, Any], kind: str = "other", *, usage_asked: bool, finish: str = ""
) -> Frame:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish or None}
    told = {"usage": None} if usage_asked else {}
    return Frame(_data({**_head(call, script), "choices": [choice], **told}), kind)


def _tool_deltas(call: Call, script: Script) -> Iterator[dict[str, Any]]:
    """Names first, then the arguments in fragments, interleaved by index as parallel calls come."""
    for index, tool in enumerate(script.tools):
        function = {"name": tool.name, "arguments": ""}
        yield {"index": index, "id": tool.id, "type": "function", "function": function}
    longest = max((len(tool.arguments) for tool in script.tools), default=0)
    for at in range(0, longest, 5):
        for index, tool in enumerate(script.tools):
            if fragment := tool.arguments[at : at + 5]:
                call.output_tokens += count_tokens(fragment)
                yield {"index": index, "function": {"arguments": fragment}}


def _finish(script: Script) -> str:
    return script.finish or ("tool_calls" if script.tools else "stop")


def _data(value: Any) -> str:
    return f"data: {dump(value)}\n\n"


def _vector(text: str, size: int) -> list[float]:
    stream = hashlib.shake_256(text.encode()).digest(size)
    values = [byte / 127.5 - 1.0 for byte in stream]
    length = sum(value * value for value in values) ** 0.5 or 1.0
    return [struct.unpack("<f", struct.pack("<f", value / length))[0] for value in values]


def _encoded(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
