"""The stages of a turn: rules, evidence, then a quote, a model's answer, or an honest "I don't know"."""

import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

import grpc.aio

from parley.contracts.v1 import Handoff
from parley.telemetry import Log, Recording, counter, histogram, names, span
from parley_ai_engine.dialogue.language import language_of
from parley_ai_engine.dialogue.question import search_query
from parley_ai_engine.dialogue.rules import NOT_SURE, Rule, matching_rule
from parley_ai_engine.pipeline.evidence import Evidence, Knowledge
from parley_ai_engine.pipeline.prompt import SENTINEL, prompt_for
from parley_ai_engine.pipeline.streaming import ChunkWriter
from parley_ai_engine.pipeline.turn import Reply, Turn
from parley_ai_engine.providers.port import Ask, Model, ModelFailed, ModelReply
from parley_ai_engine.settings import EngineSettings

Begin = Callable[[str], ChunkWriter]  # origin -> where its text is written as it comes

log = Log("ai-engine")


@dataclass(frozen=True)
class Answerer:
    """Turns a question into a reply. `model` is None for a desk that only quotes."""

    knowledge: Knowledge
    model: Model | None
    settings: EngineSettings

    async def answer(self, turn: Turn, begin: Begin) -> Reply:
        """One reply per turn, whatever fails on the way; only the turn's deadline and its cancellation end it early."""
        if self.settings.echo:
            return Reply(turn.question, "rule", confidence=1.0, why={"skill": "echo"})
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
        if self.model is not None:
            reply = await self._from_model(self.model, turn, evidence, language, begin)
            if reply is not None:
                return reply
        return self._quote(evidence, begin)

    async def _search(self, turn: Turn, language: str) -> Evidence:
        with stage("search") as recording:
            query = search_query(turn.asked, turn.earlier)
            try:
                found = await self.knowledge.search(turn.tenant, query, language, seconds=self.settings.search_seconds)
            except grpc.aio.AioRpcError as error:
                recording.fail(error.code().name)
                log.warning("search.failed", code=error.code().name, session=turn.session)
                return Evidence()
            recording.set(names.CONFIDENCE, found.answerable)
            recording.set(names.COUNT, len(found.passages))
            return found

    def _quote(self, evidence: Evidence, begin: Begin) -> Reply:
        with stage("quote") as recording:
            best = evidence.passages[0]
            text = evidence.quote or best.passage
            writer = begin("extractive")
            writer.write(text)
            writer.finish()
            recording.set(names.CHARS, len(text))
        why = {"route": "extractive", "confidence": f"{evidence.answerable:.3f}", "document": best.document_id}
        return Reply(text, "extractive", (best,), confidence=evidence.answerable, why=why)

    async def _from_model(
        self, model: Model, turn: Turn, evidence: Evidence, language: str, begin: Begin
    ) -> Reply | None:
        """The model's answer; None when it failed, so that the passage itself is quoted instead."""
        with span(f"{names.CHAT} {model.name}", kind="client") as recording:
            recording.set(names.GEN_AI_OPERATION, "chat")
            recording.set(names.GEN_AI_MODEL, model.name)
            began = time.monotonic()
            try:
                text, end = await _stream(model, prompt_for(turn, evidence, language), begin)
            except ModelFailed as error:
                recording.fail(error.kind)
                log.warning("model.failed", kind=error.kind, model=model.name, session=turn.session)
                return None
            finally:
                histogram(names.GEN_AI_SECONDS, model.name).observe(time.monotonic() - began)
            _note_usage(recording, end)
        if text.strip().startswith(SENTINEL) or not text.strip():
            return not_sure(language, evidence, "not_sure")
        why = {"route": "llm", "model": end.model, "confidence": f"{evidence.answerable:.3f}"}
        return Reply(text, "llm", evidence.passages[:3], end.finish_reason, evidence.answerable, why=why)


async def _stream(model: Model, ask: Ask, begin: Begin) -> tuple[str, ModelReply]:
    """Write the answer as it comes; its first characters are held back until they cannot be the sentinel."""
    held, writer, end = "", None, None
    async with aclosing(model.chat(ask)) as pieces:
        async for piece in pieces:
            if isinstance(piece, ModelReply):
                end = piece
            elif writer is not None:
                writer.write(piece)
            else:
                held += piece
                if not SENTINEL.startswith(held.strip()[: len(SENTINEL)]):
                    writer = begin("llm")
                    writer.write(held)
    if writer is not None:
        writer.finish()
    assert end is not None, "a model ends with a ModelReply or raises"
    return (writer.text if writer else held), end


def _note_usage(recording: Recording, end: ModelReply) -> None:
    recording.set(names.GEN_AI_RESPONSE_MODEL, end.model)
    recording.set(names.GEN_AI_FINISH, end.finish_reason)
    recording.set(names.GEN_AI_INPUT_TOKENS, end.input_tokens)
    recording.set(names.GEN_AI_OUTPUT_TOKENS, end.output_tokens)
    counter(names.GEN_AI_TOKENS, end.model, "input").inc(end.input_tokens)
    counter(names.GEN_AI_TOKENS, end.model, "output").inc(end.output_tokens)


def from_rule(rule: Rule, language: str) -> Reply:
    """A courtesy, or a person on request."""
    handoff = Handoff(reason=rule.name) if rule.handoff else None
    return Reply(rule.replies[language], "rule", confidence=1.0, handoff=handoff, why={"rule": rule.name})


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
    )


@contextmanager
def stage(name: str) -> Iterator[Recording]:
    """Time one stage, and record it when the turn is traced."""
    began = time.monotonic()
    with span(f"{names.STAGE} {name}") as recording:
        yield recording
    histogram(names.STAGE_SECONDS, name).observe(time.monotonic() - began)
