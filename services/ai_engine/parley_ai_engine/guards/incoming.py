"""Everything that goes into a prompt from outside: what speaks to the machine stays out, what is personal is hidden."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from parley_ai_engine.guards.injection import mark
from parley_ai_engine.guards.personal import Personal
from parley_ai_engine.pipeline.evidence import Evidence
from parley_ai_engine.pipeline.turn import Turn
from parley_ai_engine.providers.port import Ask, Said

WITHHELD: Final = "[withheld: the text held orders to the machine]"


@dataclass(frozen=True, slots=True)
class Safe:
    """A turn as a model may read it. `marks` says of each marked piece what it was: message override."""

    turn: Turn
    personal: Personal
    marks: tuple[str, ...] = ()

    @property
    def verdicts(self) -> list[str]:
        """What was marked and hidden, in words: message override, hidden PHONE."""
        return [*self.marks, *(f"hidden {kind}" for kind in self.personal.kinds)]

    @property
    def asked_to_obey(self) -> bool:
        """Whether the question itself speaks to the machine: then no model is asked."""
        return any(found.startswith("message ") for found in self.marks)


def without_orders(evidence: Evidence) -> tuple[Evidence, tuple[str, ...]]:
    """The passages that only inform, and what the others were marked as. A quote of a marked one is dropped too."""
    judged = [(source, mark(f"{source.title}\n{source.passage}")) for source in evidence.passages]
    kept = tuple(source for source, found in judged if not found)
    marks = tuple(f"document {found}" for _, found in judged if found)
    if judged and judged[0][1]:  # how sure we are was said of the best passage, and that is gone
        return Evidence(kept), marks
    return replace(evidence, passages=kept), marks


def prepare(turn: Turn, evidence: Evidence) -> Safe:
    """The turn with placeholders, without earlier messages that were marked."""
    personal = Personal("\n".join(source.passage for source in evidence.passages))
    found = mark(turn.question)
    recent = tuple((role, personal.hide(text)) for role, text in turn.recent if role != "user" or not mark(text))
    asked = tuple(personal.hide(text) for text in turn.asked)
    hidden = replace(turn, asked=asked, recent=recent, earlier=tuple(map(personal.hide, turn.earlier)))
    return Safe(hidden, personal, (f"message {found}",) if found else ())


def foreign_text(text: str, personal: Personal) -> str:
    """The text of an image, or a tool's result, as a model may read it."""
    return WITHHELD if mark(text) else personal.hide(text)


def guarded(ask: Ask, personal: Personal) -> Ask:
    """A question whose tool results are withheld where they give orders, and are without personal data."""
    return replace(ask, messages=tuple(_guarded(ask.messages, personal)))


def _guarded(messages: Iterable[Said], personal: Personal) -> Iterable[Said]:
    for said in messages:
        yield replace(said, text=foreign_text(said.text, personal)) if said.role == "tool" else said
