"""OpenAI, and every server that speaks its chat completions, through the vendor's SDK."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from parley_ai_engine.providers.connections import connections
from parley_ai_engine.providers.credentials import credentials
from parley_ai_engine.providers.failures import kind_of, retry_after
from parley_ai_engine.providers.pace import Pace
from parley_ai_engine.providers.port import Ask, ModelFailed, ModelReply, Said, Tool, ToolCall
from parley_ai_engine.providers.quirks import DIALECTS, Quirks, vendor_of
from parley_ai_engine.settings import ModelSettings


class OpenAICompatible:
    """One model at one base URL. The SDK's own retries are off: one layer decides about those."""

    def __init__(self, client: Any, settings: ModelSettings) -> None:
        self._client = client
        self._settings = settings
        self._quirks = DIALECTS.get(vendor_of(settings), DIALECTS["compatible"])

    @property
    def name(self) -> str:
        """As the server knows it."""
        return self._settings.model

    async def chat(self, ask: Ask) -> AsyncGenerator[str | ModelReply, None]:
        """Stream one answer, with a limit on the first token and on every pause."""
        import openai  # noqa: PLC0415 - loading it takes most of a second, and many desks run without a model

        try:
            async with aclosing(self._pieces(ask)) as pieces:
                async for piece in pieces:
                    yield piece
        except TimeoutError:
            raise ModelFailed("timeout", "the model took too long") from None
        except openai.APIConnectionError as error:
            raise ModelFailed("unreachable", f"the model cannot be reached: {type(error).__name__}") from None
        except openai.APIError as error:
            raise self._failure(error) from None
        except openai.OpenAIError as error:
            raise ModelFailed("refused", f"the model failed: {type(error).__name__}") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise ModelFailed(
                "malformed", f"the model's server sent what is no answer: {type(error).__name__}"
            ) from None

    async def _pieces(self, ask: Ask) -> AsyncGenerator[str | ModelReply, None]:
        limit = ask.max_tokens or self._settings.max_tokens
        pace = Pace(self._settings.first_token_seconds, self._settings.idle_seconds, limit)
        async with asyncio.timeout_at(pace.deadline):
            stream = await self._client.chat.completions.create(**request(ask, self._settings, self._quirks))
        ending = _Ending(self._settings.model)
        async with aclosing(pace.events(stream)) as events:
            async for chunk in events:
                if text := ending.read(chunk):
                    yield text
                    if not pace.text(text):
                        ending.finish = "length"
                        break
        yield ending.reply()

    def _failure(self, error: Any) -> ModelFailed:
        status = getattr(error, "status_code", 200)
        codes = [str(code) for code in (error.code, error.type) if code]
        kind = kind_of(status, *codes, message=error.message, quirks=self._quirks.codes)
        response = getattr(error, "response", None)
        wait = retry_after(response.headers, time.time()) if response is not None else None
        return ModelFailed(kind, f"the model's server answered {status} {' '.join(codes)}".strip(), retry_after=wait)


class _Ending:
    """Collects what a stream says besides its text."""

    def __init__(self, model: str) -> None:
        self.finish = ""
        self._model = model
        self._usage: Any = None
        self._calls: dict[int, list[str]] = {}

    def read(self, chunk: Any) -> str:
        """The text of a chunk."""
        self._model, self._usage = chunk.model or self._model, chunk.usage or self._usage
        text = ""
        for choice in chunk.choices or ():
            self.finish = choice.finish_reason or self.finish
            if choice.delta is not None:
                text += choice.delta.content or ""
                for piece in choice.delta.tool_calls or ():
                    self._note(piece)
        return text

    def _note(self, piece: Any) -> None:
        call = self._calls.setdefault(piece.index, ["", "", ""])
        call[0] = piece.id or call[0]
        if piece.function is not None:
            call[1] = piece.function.name or call[1]
            call[2] += piece.function.arguments or ""

    def reply(self) -> ModelReply:
        """Raises ModelFailed for a stream that ended without saying that it ended: the SDK does not notice."""
        if not self.finish:
            raise ModelFailed("truncated", "the model's answer broke off")
        calls = tuple(ToolCall(*self._calls[index]) for index in sorted(self._calls))
        usage = self._usage
        if usage is None:
            return ModelReply(self.finish, self._model, calls=calls, reported=False)
        details = usage.prompt_tokens_details
        cached = (details.cached_tokens or 0) if details else 0
        return ModelReply(self.finish, self._model, usage.prompt_tokens, usage.completion_tokens, cached, calls)


def request(ask: Ask, settings: ModelSettings, quirks: Quirks) -> dict[str, Any]:
    """The arguments of one call. Pure."""
    said = [_message(message) for message in ask.messages]
    made: dict[str, Any] = {
        "model": settings.model,
        "messages": said,
        quirks.max_tokens: ask.max_tokens or settings.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if quirks.temperature:
        made["temperature"] = settings.temperature
    if ask.tools:
        made["tools"] = [_tool(tool) for tool in ask.tools]
    if ask.schema is not None:
        made |= _shape(ask.schema, said, quirks)
    if quirks.extra:
        made["extra_body"] = dict(quirks.extra)
    return made


def _shape(schema: Mapping[str, Any], said: list[dict[str, Any]], quirks: Quirks) -> dict[str, Any]:
    if quirks.json_schema:
        shape = {"name": "answer", "strict": True, "schema": dict(schema)}
        return {"response_format": {"type": "json_schema", "json_schema": shape}}
    told = f"Answer with JSON that fits this schema, and nothing else: {json.dumps(schema, ensure_ascii=False)}"
    said.insert(0, {"role": "system", "content": told})
    return {"response_format": {"type": "json_object"}}


def _message(said: Said) -> dict[str, Any]:
    if said.role == "tool":
        return {"role": "tool", "tool_call_id": said.call_id, "content": said.text}
    if said.calls:
        calls = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in said.calls
        ]
        return {"role": said.role, "content": said.text or None, "tool_calls": calls}
    if not said.pictures:
        return {"role": said.role, "content": said.text}
    parts: list[dict[str, Any]] = [{"type": "text", "text": said.text}] if said.text else []
    for picture in said.pictures:
        url = f"data:{picture.kind};base64,{base64.b64encode(picture.data).decode()}"
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return {"role": said.role, "content": parts}


def _tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.schema)}
    return {"type": "function", "function": function}


@asynccontextmanager
async def open_model(settings: ModelSettings) -> AsyncIterator[OpenAICompatible]:
    """A model and its connections."""
    import openai  # noqa: PLC0415 - as above

    http = openai.DefaultAsyncHttpxClient(**connections(settings))
    key = credentials(settings.key or "none", settings.key_file).key
    async with openai.AsyncOpenAI(base_url=settings.url, api_key=key, max_retries=0, http_client=http) as client:
        yield OpenAICompatible(client, settings)
