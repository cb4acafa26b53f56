"""Any server that speaks OpenAI's chat completions, through the vendor's SDK."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from parley_ai_engine.providers.port import ModelFailed, ModelReply
from parley_ai_engine.settings import ModelSettings

CONNECT_SECONDS = 3.0


class OpenAICompatible:
    """One model at one base URL. The SDK's own retries are off: one layer decides about those."""

    def __init__(self, client: Any, settings: ModelSettings) -> None:
        self._client = client
        self._settings = settings

    @property
    def name(self) -> str:
        """As the server knows it."""
        return self._settings.model

    async def chat(self, messages: Sequence[tuple[str, str]]) -> AsyncIterator[str | ModelReply]:
        """Stream one answer, with a limit on the first token and on every pause."""
        import openai  # noqa: PLC0415 - loading it takes most of a second, and many desks run without a model

        try:
            stream = await self._begin(messages)
            async for piece in self._pieces(stream):
                yield piece
        except TimeoutError:
            raise ModelFailed("timeout", "the model took too long") from None
        except openai.APIConnectionError as error:
            raise ModelFailed("unreachable", f"the model cannot be reached: {type(error).__name__}") from None
        except openai.APIStatusError as error:
            raise ModelFailed("refused", f"the model's server answered {error.status_code}") from None
        except openai.OpenAIError as error:
            raise ModelFailed("error", f"the model failed: {type(error).__name__}") from None

    async def _begin(self, messages: Sequence[tuple[str, str]]) -> Any:
        async with asyncio.timeout(self._settings.first_token_seconds):
            return await self._client.chat.completions.create(
                model=self._settings.model,
                messages=[{"role": role, "content": text} for role, text in messages],
                max_tokens=self._settings.max_tokens,
                temperature=self._settings.temperature,
                stream=True,
                stream_options={"include_usage": True},
            )

    async def _pieces(self, stream: Any) -> AsyncIterator[str | ModelReply]:
        finish, model, usage = "", self._settings.model, None
        limit = self._settings.first_token_seconds
        try:
            while (chunk := await _next(stream, limit)) is not None:
                model, usage = chunk.model or model, chunk.usage or usage
                for choice in chunk.choices or ():
                    finish = choice.finish_reason or finish
                    if choice.delta and choice.delta.content:
                        limit = self._settings.idle_seconds
                        yield choice.delta.content
        finally:
            await stream.close()
        if not finish:
            raise ModelFailed("truncated", "the model's answer broke off")
        tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        yield ModelReply(finish, model, *tokens)


async def _next(stream: Any, seconds: float) -> Any | None:
    async with asyncio.timeout(seconds):
        return await anext(aiter(stream), None)


@asynccontextmanager
async def open_model(settings: ModelSettings) -> AsyncIterator[OpenAICompatible | None]:
    """The configured model, or None when `PARLEY_LLM_URL` is not set."""
    if not settings.url:
        yield None
        return
    import openai  # noqa: PLC0415 - as above

    timeout = openai.Timeout(settings.first_token_seconds + settings.idle_seconds, connect=CONNECT_SECONDS)
    async with openai.AsyncOpenAI(
        base_url=settings.url, api_key=settings.key or "none", max_retries=0, timeout=timeout
    ) as client:
        yield OpenAICompatible(client, settings)
