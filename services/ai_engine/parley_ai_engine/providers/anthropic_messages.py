"""Anthropic's messages, through the vendor's SDK."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import groupby
from typing import Any, Final

from parley_ai_engine.providers.connections import connections
from parley_ai_engine.providers.credentials import credentials
from parley_ai_engine.providers.failures import kind_of, retry_after
from parley_ai_engine.providers.pace import Pace
from parley_ai_engine.providers.port import Ask, ModelFailed, ModelReply, Said, ToolCall
from parley_ai_engine.settings import ModelSettings

ANSWER_TOOL: Final = "answer"  # a JSON shape is asked for as the one tool that must be called
_FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class AnthropicMessages:
    """One model. No temperature is sent: the API refuses it. The SDK's own retries are off."""

    def __init__(self, client: Any, settings: ModelSettings) -> None:
        self._client = client
        self._settings = settings
        self._credentials = credentials(settings.key, settings.key_file)

    @property
    def name(self) -> str:
        """As the vendor knows it."""
        return self._settings.model

    async def chat(self, ask: Ask) -> AsyncGenerator[str | ModelReply, None]:
        """Stream one answer, with a limit on the first token and on every pause."""
        import anthropic  # noqa: PLC0415 - loading it takes seconds, and many desks run without a model
        import httpx2  # noqa: PLC0415 - what breaks in mid-stream comes through the SDK as it is

        try:
            async with aclosing(self._pieces(ask)) as pieces:
                async for piece in pieces:
                    yield piece
        except TimeoutError:
            raise ModelFailed("timeout", "the model took too long") from None
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            raise ModelFailed("unreachable", f"the model cannot be reached: {type(error).__name__}") from None
        except anthropic.APIStatusError as error:
            raise _failure(error) from None
        except anthropic.AnthropicError as error:
            raise ModelFailed("refused", f"the model failed: {type(error).__name__}") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelFailed("malformed", f"what the model's server sent is no answer: {error!r:.80}") from None

    async def _pieces(self, ask: Ask) -> AsyncGenerator[str | ModelReply, None]:
        limit = ask.max_tokens or self._settings.max_tokens
        pace = Pace(self._settings.first_token_seconds, self._settings.idle_seconds, limit)
        async with asyncio.timeout_at(pace.deadline):
            key = {"Authorization": f"Bearer {await self._credentials.key()}"}
            stream = await self._client.messages.create(**request(ask, self._settings), extra_headers=key)
        ending = _Ending(self._settings.model, shaped=ask.schema is not None)
        async with aclosing(pace.events(stream)) as events:
            async for event in events:
                if text := ending.read(event):
                    yield text
                    if not pace.text(text):
                        ending.finish = "length"
                        break
        yield ending.reply()


class _Ending:
    """Collects what a stream says besides its text."""

    def __init__(self, model: str, *, shaped: bool) -> None:
        self.finish = ""
        self._model = model
        self._shaped = shaped
        self._input = self._cached = self._output = 0
        self._reported = False
        self._calls: dict[int, list[str]] = {}

    def read(self, event: Any) -> str:
        """The text of an event."""
        if event.type == "message_start":
            self._begin(event.message)
        elif event.type == "content_block_start" and event.content_block.type == "tool_use":
            self._calls[event.index] = [event.content_block.id, event.content_block.name, ""]
        elif event.type == "content_block_delta":
            return self._delta(event)
        elif event.type == "message_delta":
            stop = event.delta.stop_reason or ""
            self.finish = _FINISH.get(stop, stop)
            self._output = event.usage.output_tokens or 0
            self._reported = self._output > 0
        return ""

    def _begin(self, message: Any) -> None:
        usage = message.usage
        self._model = message.model or self._model
        self._cached = usage.cache_read_input_tokens or 0
        self._input = usage.input_tokens + self._cached + (usage.cache_creation_input_tokens or 0)

    def _delta(self, event: Any) -> str:
        delta = event.delta
        if delta.type == "text_delta":
            return str(delta.text)
        if delta.type == "input_json_delta" and event.index in self._calls:
            self._calls[event.index][2] += delta.partial_json
            return str(delta.partial_json) if self._shaped else ""
        return ""

    def reply(self) -> ModelReply:
        """Raises ModelFailed for a stream that ended without saying that it ended."""
        if not self.finish:
            raise ModelFailed("truncated", "the model's answer broke off")
        calls = () if self._shaped else tuple(ToolCall(*self._calls[index]) for index in sorted(self._calls))
        finish = "stop" if self._shaped and self.finish == "tool_calls" else self.finish
        used = (self._input, self._output, self._cached) if self._reported else (0, 0, 0)
        return ModelReply(finish, self._model, *used, calls, reported=self._reported)


def _failure(error: Any) -> ModelFailed:
    """An error in mid-stream has a status of 200: its type tells more than its status."""
    body = error.body.get("error", {}) if isinstance(error.body, dict) else {}
    codes = [str(code) for code in ((body.get("details") or {}).get("error_code"), body.get("type")) if code]
    kind = kind_of(error.status_code, *codes, message=str(body.get("message", "")))
    wait = retry_after(error.response.headers, time.time())
    told = f"the model's server answered {error.status_code} {' '.join(codes)}".strip()
    return ModelFailed(kind, told, retry_after=wait)


def request(ask: Ask, settings: ModelSettings) -> dict[str, Any]:
    """The arguments of one call. Pure."""
    made: dict[str, Any] = {
        "model": settings.model,
        "max_tokens": ask.max_tokens or settings.max_tokens,
        "messages": _turns(ask.messages),
        "stream": True,
    }
    if rules := "\n\n".join(said.text for said in ask.messages if said.role == "system"):
        made["system"] = rules
    tools = [{"name": t.name, "description": t.description, "input_schema": dict(t.schema)} for t in ask.tools]
    if ask.schema is not None:
        tools = [{"name": ANSWER_TOOL, "description": "Give the answer.", "input_schema": dict(ask.schema)}]
        made["tool_choice"] = {"type": "tool", "name": ANSWER_TOOL}
    if tools:
        made["tools"] = tools
    return made


def _turns(messages: tuple[Said, ...]) -> list[dict[str, Any]]:
    """User and assistant in turn, the user first, as the API wants them."""
    said = [message for message in messages if message.role != "system"]
    while said and said[0].role == "assistant":
        said = said[1:]
    turns = groupby(said, key=lambda message: "assistant" if message.role == "assistant" else "user")
    return [{"role": role, "content": [part for message in group for part in _parts(message)]} for role, group in turns]


def _parts(said: Said) -> list[dict[str, Any]]:
    if said.role == "tool":
        return [{"type": "tool_result", "tool_use_id": said.call_id, "content": said.text}]
    parts: list[dict[str, Any]] = []
    for picture in said.pictures:
        source = {"type": "base64", "media_type": picture.kind, "data": base64.b64encode(picture.data).decode()}
        parts.append({"type": "image", "source": source})
    if said.text:
        parts.append({"type": "text", "text": said.text})
    return parts + [{"type": "tool_use", "id": c.id, "name": c.name, "input": _object(c.arguments)} for c in said.calls]


def _object(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return {}


@asynccontextmanager
async def open_model(settings: ModelSettings) -> AsyncIterator[AnthropicMessages]:
    """A model and its connections."""
    import anthropic  # noqa: PLC0415 - as above

    http = anthropic.DefaultAsyncHttpxClient(**connections(settings))
    url = settings.url.removesuffix("/v1")
    async with anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0, http_client=http) as client:
        yield AnthropicMessages(client, settings)
