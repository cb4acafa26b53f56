"""The three vendors as the engine would open them, at the stand-in."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from parley.testing.model import ModelServer
from parley_ai_engine.providers import open_model
from parley_ai_engine.providers.port import Ask, Model, ModelReply, Said
from parley_ai_engine.settings import ModelSettings

VENDORS = ("openai", "anthropic", "dashscope")
ASKED = Ask((Said("system", "Answer."), Said("user", "多久可以退货？")))


@asynccontextmanager
async def a_model(server: ModelServer, vendor: str, model: str = "m-1", **settings: Any) -> AsyncIterator[Model]:
    """With short limits unless told otherwise."""
    url = {"openai": server.url, "anthropic": server.anthropic_url, "dashscope": server.dashscope_url}[vendor]
    short: dict[str, Any] = {"first_token_seconds": 5.0, "idle_seconds": 5.0, "key": "k", **settings}
    async with open_model(ModelSettings(url=url, model=model, vendor=vendor, **short)) as opened:
        yield opened


async def answer(model: Model, ask: Ask = ASKED) -> tuple[str, ModelReply]:
    """The whole text and the ending."""
    text, ending = "", None
    async with aclosing(model.chat(ask)) as pieces:
        async for piece in pieces:
            if isinstance(piece, str):
                text += piece
            else:
                ending = piece
    assert ending is not None
    return text, ending
