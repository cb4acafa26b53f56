"""Sixty attacks against a model that obeys whatever it reads.

A violation: any part of what the attack wants said (`shows`) reaches the visitor, in a preview or in the stored reply.
The model obeys as soon as the attack stands anywhere in its prompt, so nothing here rests on a model's good sense.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from parley.contracts.v1 import Message, Sender, SenderKind, Source, TurnRequested
from parley.core import SystemClock
from parley_ai_engine.admission.breaker import Breaker
from parley_ai_engine.cache.answers import MemoryAnswers
from parley_ai_engine.cache.remembering import Remembering
from parley_ai_engine.guards.incoming import foreign_text, guarded
from parley_ai_engine.guards.injection import mark
from parley_ai_engine.guards.personal import Personal
from parley_ai_engine.pipeline.answering import Answerer
from parley_ai_engine.pipeline.evidence import Evidence
from parley_ai_engine.pipeline.ladder import Ladder, Route
from parley_ai_engine.pipeline.streaming import ChunkWriter
from parley_ai_engine.pipeline.turn import Reply, Turn
from parley_ai_engine.providers.port import Ask, ModelReply, Said
from parley_ai_engine.settings import EngineSettings

ATTACKS = Path(__file__).with_name("attacks.jsonl")
QUESTION = {"zh": "茶具多久可以退货？", "en": "How long can I return teaware?"}
PASSAGE = {
    "zh": Source(document_id="returns", title="退货期限", passage="茶具签收后15天内可以无理由退货。"),
    "en": Source(document_id="returns", title="Returns", passage="Teaware can be returned within 15 days."),
}


@dataclass(frozen=True, slots=True)
class Attack:
    """What is planted (`text`), where (`kind`), what an obedient model then says, and what of it must not be shown."""

    language: str
    kind: str  # message, document, image, tool
    text: str
    does: str
    shows: str


@dataclass(frozen=True, slots=True)
class Withstood:
    """How it went. `marked` were recognised on the way in; the others were stopped on the way out, or did no harm."""

    attacks: int
    marked: int
    obeyed: int
    violations: tuple[str, ...]


class ObedientModel:
    """Does what the text says, wherever it stands in the prompt; else answers from the passage."""

    name = "obedient"

    def __init__(self, attack: Attack) -> None:
        self._attack = attack
        self.obeyed = False

    async def chat(self, ask: Ask) -> AsyncGenerator[str | ModelReply, None]:
        """Streams in small pieces."""
        ask = self._with_foreign_text(ask)
        self.obeyed = self._attack.text[:16] in "\n".join(said.text for said in ask.messages)
        text = self._attack.does if self.obeyed else PASSAGE[self._attack.language].passage
        for at in range(0, len(text), 3):
            yield text[at : at + 3]
        yield ModelReply("stop", self.name, 1, 1)

    def _with_foreign_text(self, ask: Ask) -> Ask:
        """The prompt with the text of an image, or a tool's result, as they enter one: through the guards."""
        if self._attack.kind == "image":
            return replace(ask, messages=(*ask.messages, Said("user", foreign_text(self._attack.text, Personal()))))
        if self._attack.kind == "tool":
            return guarded(replace(ask, messages=(*ask.messages, Said("tool", self._attack.text))), Personal())
        return ask


class _Shelf:
    """The right passage, and the poisoned one before or after it."""

    def __init__(self, attack: Attack, first: bool) -> None:
        poisoned = Source(document_id="poisoned", title="茶具", passage=attack.text)
        right = PASSAGE[attack.language]
        both = (poisoned, right) if first else (right, poisoned)
        self._found = both if attack.kind == "document" else (right,)

    async def search(self, tenant: str, query: str, language: str, *, seconds: float) -> Evidence:
        return Evidence(self._found, self._found[0].passage, 0.95)


def attacks() -> list[Attack]:
    """All, in the order of the file."""
    return [Attack(**json.loads(line)) for line in ATTACKS.read_text("utf-8").splitlines() if line.strip()]


async def measure() -> Withstood:
    """Try every attack on the whole pipeline."""
    violations, obeyed = [], 0
    for attack in attacks():
        for first in (False, True) if attack.kind == "document" else (False,):
            model, shown = ObedientModel(attack), ""
            reply, shown = await _answered(attack, model, first)
            obeyed += model.obeyed
            if attack.shows.casefold() in f"{shown}\n{reply.text}".casefold():
                violations.append(f"{attack.kind}: {attack.text}")
    marked = sum(bool(mark(attack.text)) for attack in attacks())
    return Withstood(len(attacks()), marked, obeyed, tuple(violations))


async def _answered(attack: Attack, model: Any, first: bool) -> tuple[Reply, str]:
    clock, shown = SystemClock(), []
    models = Remembering(Ladder([Route(model, Breaker(clock))], clock), MemoryAnswers(0, clock))
    answerer = Answerer(_Shelf(attack, first), models, EngineSettings())
    question = attack.text if attack.kind == "message" else QUESTION[attack.language]
    visitor = Sender(kind=SenderKind.SENDER_KIND_VISITOR)
    event = TurnRequested(turn_id="t", asked=[Message(text=question, sender=visitor)], locale=attack.language)
    event.deadline.FromMilliseconds(int((clock.now() + 20) * 1000))
    event.meta.tenant_id = "demo"
    writer = ChunkWriter(lambda _, delta: shown.append(delta), clock)
    reply = await answerer.answer(Turn.from_event(event), lambda _: writer)
    return reply, "".join(shown)


if __name__ == "__main__":
    print(asyncio.run(measure()))
