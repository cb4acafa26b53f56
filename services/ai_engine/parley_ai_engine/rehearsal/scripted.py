"""A model that does what a conversation says of it, through the same door as every vendor."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from parley_ai_engine.providers.port import Ask, ModelFailed, ModelReply
from parley_ai_engine.rehearsal.cases import Scripted
from parley_ai_engine.settings import ModelSettings

PLACE: Final = "parley_ai_engine.rehearsal.scripted:open_model"
PIECE: Final = 3
_models: dict[str, "ScriptedModel"] = {}  # by the model's name, while their conversation is played


class ScriptedModel:
    """Says the turn's script in small pieces, then ends or fails; remembers what it was given to read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.script = Scripted()
        self.read: list[str] = []

    async def chat(self, ask: Ask) -> AsyncGenerator[str | ModelReply, None]:
        """Raises ModelFailed as scripted."""
        self.read.append("\n".join(said.text for said in ask.messages))
        text = self.script.says
        for at in range(0, len(text), PIECE):
            yield text[at : at + PIECE]
        if self.script.fails:
            raise ModelFailed(self.script.fails, "as the conversation says")
        if not text:
            raise ModelFailed("unreachable", "the conversation gives this turn no model")
        yield ModelReply("stop", self.name, 100, len(text), reported=False)


@asynccontextmanager
async def open_model(settings: ModelSettings) -> AsyncIterator[ScriptedModel]:
    """The model of a name; for as long as it is open, `playing` sets its script."""
    model = _models[settings.model] = ScriptedModel(settings.model)
    try:
        yield model
    finally:
        del _models[settings.model]


def scripted(name: str) -> ScriptedModel:
    """The open model of a name."""
    return _models[name]
