"""The stages of a turn: rules, evidence, then a quote, a model's answer, or an honest "I don't know"."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace

import grpc.aio

from parley.contracts.v1 import Handoff
from parley.telemetry import Log, Recording, histogram, names, span
from parley_ai_engine.cache.remembering import Question, Remembering
from parley_ai_engine.dialogue.complaint import complains
from parley_ai_engine.dialogue.language import language_of
from parley_ai_engine.dialogue.question import search_query
from parley_ai_engine.dialogue.rules import NOT_SURE, Rule, matching_rule
from parley_ai_engine.guards.incoming import prepare, without_orders
from parley_ai_engine.guards.leaks import secrets_of
from parley_ai_engine.guards.outgoing import GuardedWriter, Outgoing
from parley_ai_engine.guards.personal import without_personal
from parley_ai_engine.guards.provenance import Support
from parley_ai_engine.guards.words import Blocked
from parley_ai_engine.pipeline.evidence import Evidence, Knowledge
from parley_ai_engine.pipeline.ladder import Chosen, NoModel, Piece, Route, Tried
from parley_ai_engine.pipeline.prompt import SENTINEL, prompt_for
from parley_ai_engine.pipeline.prompts import Prompts
from parley_ai_engine.pipeline.streaming import ChunkWriter
from parley_ai_engine.pipeline.turn import Reply, Turn
from parley_ai_engine.providers.port import ModelReply
from parley_ai_engine.settings import EngineSettings

Begin = Callable[[str], ChunkWriter]  # origin -> where its text is written as it comes

log = Log("ai-engine")


@dataclass(frozen=True, slots=True)
class Fallen:
    """No model answered: why, and whether some of an answer was already shown."""

    why: dict[str, str]
    shown: bool


@dataclass(frozen=True)
class Answerer:
    """Turns a question into a reply. `ladder` is None for a desk that only quotes."""

    knowledge: Knowledge
    ladder: Remembering | None
    settings: EngineSettings
    prompts: Prompts = field(default_factory=Prompts)
    outgoing: Outgoing = field(default_factory=Outgoing)

    async def answer(self, turn: Turn, begin: Begin) -> Reply:
        """One reply per turn, whatever fails on the way; only the turn's deadline and its cancellation end it early."""
        if self.settings.echo:
            return Reply(turn.question, "rule", confidence=1.0, why={"skill": "echo"}, level="L4")
        language = language_of(turn.question, turn.locale)
        with stage("rules") as recording:
            rule = matching_rule(turn.question)
            recording.set(names.DECISION, rule.name if rule else "none")
        if rule is not None:
            return from_rule(rule, language)
        if not turn.question:
            return not_sure(language, Evidence(), "no_text")
        evidence = await self._search(turn, language)
        if not evidence.passages or evidence.answerable < self.settings.sure_from:
            return not_sure(language, evidence, "not_sure")
        if self.ladder is None:
            return self._quote(evidence, begin)
        reply = await self._from_model(self.ladder, turn, evidence, language, begin)
        return self._quote(evidence, begin, reply) if isinstance(reply, Fallen) else reply

    async def _search(self, turn: Turn, language: str) -> Evidence:
        with stage("search") as recording:
            query = search_query(without_personal(turn.asked), without_personal(turn.earlier))
            try:
                found = await self.knowledge.search(turn.tenant, query, language, seconds=self.settings.search_seconds)
            except grpc.aio.AioRpcError as error:
                recording.fail(error.code().name)
                log.warning("search.failed", code=error.code().name, session=turn.session)
                return Evidence()
            safe, marks = without_orders(found)
            recording.set(names.CONFIDENCE, safe.answerable)
            recording.set(names.COUNT, len(safe.passages))
            if marks:
                recording.set(names.GUARD, ", ".join(marks))
                log.warning("passages.marked", marks=", ".join(marks), session=turn.session)
            return safe

    def _quote(self, evidence: Evidence, begin: Begin, fallen: Fallen | None = None) -> Reply:
        """The passage itself. After a part of another answer it is not previewed: nothing is ever spliced."""
        with stage("quote") as recording:
            best = evidence.passages[0]
            text = evidence.quote or best.passage
            if fallen is None or not fallen.shown:
                writer = begin("extractive")
                writer.write(text)
                writer.finish()
            recording.set(names.CHARS, len(text))
        why = {"route": "extractive", "confidence": f"{evidence.answerable:.3f}", "document": best.document_id}
        if fallen is not None:
            why |= fallen.why
        return Reply(text, "extractive", (best,), confidence=evidence.answerable, why=why, level="L3")

    async def _from_model(
        self, ladder: Remembering, turn: Turn, evidence: Evidence, language: str, begin: Begin
    ) -> Reply | Fallen:
        """A model's answer, or how it came that there is none, so that the passage itself is quoted instead."""
        tried = Tried()
        with stage("guard") as recording:
            safe = prepare(turn, evidence)
            recording.set(names.GUARD, ", ".join(safe.verdicts) or "passed")
        if safe.asked_to_obey:
            return Fallen({"guard": ", ".join(safe.marks)}, shown=False)
        name = "complaint" if complains(turn.question) else "answer"
        prompt = self.prompts.find(turn.tenant, name, language)
        ask = prompt_for(safe.turn, evidence, language, prompt, self.settings.context_tokens)
        private = bool(safe.marks or safe.personal.kinds)
        pieces = ladder.chat(Question(ask, turn.deadline, turn.payer, evidence.version, private), tried)
        guards = self.outgoing.on(support_of(turn, evidence), safe.personal, secrets_of(prompt.source, SENTINEL))
        try:
            route, text, end = await _stream(pieces, lambda origin: guards.guard(begin(origin)))
        except NoModel as error:
            return Fallen(tried.why(), shown=error.shown)
        except Blocked as blocked:
            log.warning("reply.blocked", guard=blocked.guard, session=turn.session)
            if blocked.guard == "provenance":
                return Fallen({**tried.why(), "guard": blocked.guard}, shown=True)
            unsure = not_sure(language, evidence, "blocked")
            return replace(unsure, why={**unsure.why, **tried.why(), "guard": blocked.guard})
        if text.strip().startswith(SENTINEL) or not text.strip():
            unsure = not_sure(language, evidence, "not_sure")
            return replace(unsure, why={**unsure.why, **tried.why()})
        await tried.accepted()
        why = {
            **tried.why(),
            "prompt": prompt.label,
            "route": route.model.name,
            "model": end.model,
            "confidence": f"{evidence.answerable:.3f}",
        }
        return Reply(
            text, route.origin, evidence.passages[:3], end.finish_reason, evidence.answerable, why=why, level=route.rung
        )


def support_of(turn: Turn, evidence: Evidence) -> Support:
    """What an answer may state: the passages, what we said before, and the visitor's own codes."""
    sources = [text for found in evidence.passages for text in (found.title, found.passage)]
    ours = [text for role, text in turn.recent if role == "assistant"]
    return Support.of([*sources, evidence.quote, *ours], [turn.question, *turn.earlier])


async def _stream(
    pieces: AsyncGenerator[Piece, None], begin: Callable[[str], GuardedWriter]
) -> tuple[Route, str, ModelReply]:
    """Write the answer as it comes; its first characters are held back until they cannot be the sentinel."""
    held, writer, route, end = "", None, None, None
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Chosen):
                route = piece.route
            elif isinstance(piece, ModelReply):
                end = piece
            elif writer is not None:
                writer.write(piece)
            else:
                held += piece
                if route is not None and not SENTINEL.startswith(held.strip()[: len(SENTINEL)]):
                    writer = begin(route.origin)
                    writer.write(held)
    if writer is not None:
        writer.finish()
    assert route is not None and end is not None, "a ladder chooses, and ends with a ModelReply or raises"  # noqa: PT018
    return route, (writer.text if writer else held), end


def from_rule(rule: Rule, language: str) -> Reply:
    """A courtesy, or a person on request."""
    handoff = Handoff(reason=rule.name) if rule.handoff else None
    return Reply(rule.replies[language], "rule", confidence=1.0, handoff=handoff, why={"rule": rule.name}, level="L4")


def not_sure(language: str, evidence: Evidence, why: str) -> Reply:
    """Never a guess: say so, and ask for a person with what was looked at."""
    tried = [source.title for source in evidence.passages[:3]]
    handoff = Handoff(reason="not_sure", confidence=evidence.answerable, tried=tried)
    explained = {"route": "handoff", "why": why, "confidence": f"{evidence.answerable:.3f}"}
    return Reply(
        NOT_SURE[language],
        "rule",
        confidence=evidence.answerable,
        notice="not_sure",
        handoff=handoff,
        why=explained,
        level="L5",
    )


@contextmanager
def stage(name: str) -> Iterator[Recording]:
    """Time one stage, and record it when the turn is traced."""
    began = time.monotonic()
    with span(f"{names.STAGE} {name}") as recording:
        yield recording
    histogram(names.STAGE_SECONDS, name).observe(time.monotonic() - began)
