"""What `parley doctor` says of the model: key, model, streaming, price and quota, by one cheap call."""

import asyncio
import time
from contextlib import aclosing
from pathlib import Path
from typing import Final

from parley.core import ParleyError
from parley_ai_engine.admission.prices import price_of, read_prices
from parley_ai_engine.providers import open_model
from parley_ai_engine.providers.port import Ask, ModelFailed, ModelReply, Said
from parley_ai_engine.settings import EngineSettings, ModelSettings

PATIENCE: Final = 20.0
QUESTION: Final = Ask((Said("user", "Answer with the word OK, three times."),), max_tokens=16)
NONE: Final = "none, so it quotes your handbook; PARLEY_LLM_URL=… PARLEY_LLM_MODEL=… gives it one"
_ADVICE: Final = {
    "unauthorized": "the key is refused; set PARLEY_LLM_KEY to one that this server gave out",
    "forbidden": "the key may not use this model, or not from here; look at its rights",
    "quota": "the key's quota is used up; add credit at the vendor",
    "rate_limited": "the key is good, but has no calls left in this minute; try again, or ask for a higher limit",
    "overloaded": "the server is too busy or broken; try again later",
    "unreachable": "nobody answers there; look at PARLEY_LLM_URL, and whether the server runs",
    "timeout": "the server took too long; a first call that loads a model may, so try again",
    "too_long": "the server finds seven words too long; look at its context length",
    "refused": "the server does not know this model or this kind of call; look at PARLEY_LLM_MODEL and PARLEY_LLM_URL",
    "malformed": "what answers there is no such server; does PARLEY_LLM_URL end as it should, often in /v1?",
    "truncated": "what came was no whole answer; does PARLEY_LLM_URL end in /v1 or the like, and does it stream?",
    "filtered": "the server's content filter stopped seven harmless words; look at its settings",
}


def check() -> str:
    """One line in plain words. Raises ParleyError that says what to do."""
    settings = ModelSettings.load()
    if not settings.url:
        return NONE
    try:
        return asyncio.run(_asked(settings))
    except ModelFailed as error:
        advice = _ADVICE.get(error.kind, "the call failed")
        raise ParleyError(f"{settings.model} at {settings.url}: {advice} ({error})") from error
    except TimeoutError:
        raise ParleyError(f"{settings.model} at {settings.url}: {_ADVICE['timeout']}") from None


async def _asked(settings: ModelSettings) -> str:
    began, first, pieces, end = time.monotonic(), 0.0, 0, None
    async with asyncio.timeout(PATIENCE), open_model(settings) as model, aclosing(model.chat(QUESTION)) as stream:
        async for piece in stream:
            first = first or time.monotonic() - began
            pieces += not isinstance(piece, ModelReply)
            end = piece if isinstance(piece, ModelReply) else end
    if end is None:
        raise ModelFailed("truncated", "no end came")
    streaming = f"streams (first piece after {first * 1000:.0f} ms)" if pieces > 1 else "answers in one piece"
    return f"{settings.model} answers, the key is good, it {streaming}; {_price(settings, end)}"


def _price(settings: ModelSettings, end: ModelReply) -> str:
    used = f"{end.input_tokens} tokens in, {end.output_tokens} out" if end.reported else "it tells no usage"
    file = EngineSettings.load().prices
    if not file:
        return f"{used}; no price is known, PARLEY_AI_ENGINE_PRICES names a file with yours"
    tariff = price_of(settings.model, read_prices(Path(file)), time.time())
    if tariff is None:
        return f"{used}; {file} has no price for {settings.model}"
    return f"{used}, {tariff.of(end.input_tokens, end.cached_tokens, end.output_tokens):f} {tariff.currency}"
