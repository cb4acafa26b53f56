"""The ladder with a memory: an answer of the last hour, else the one that is on its way, else a model."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from parley.core import new_id
from parley.telemetry import counter, names
from parley_ai_engine.cache.answers import Answer, Answers
from parley_ai_engine.cache.flights import Flights
from parley_ai_engine.cache.keys import key_of
from parley_ai_engine.costs.usage import Payer, Usage
from parley_ai_engine.pipeline.ladder import Chosen, Ladder, NoModel, Piece, Route, Tried
from parley_ai_engine.providers.port import Ask, ModelReply


@dataclass(frozen=True, slots=True)
class Remembered(Route):
    """Where an answer came from that no model was asked for now."""

    @property
    def origin(self) -> str:
        """What such a reply is called."""
        return "cache"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, until when (unix seconds), for whom, and on which state of the knowledge."""

    ask: Ask
    deadline: float
    payer: Payer
    knowledge: int
    private: bool = False  # something personal was read: its answer is nobody else's


class Remembering:
    """Spares calls to models, and says in the books what that saved."""

    def __init__(self, ladder: Ladder, answers: Answers, *, shares: bool = True) -> None:
        self._ladder = ladder
        self._answers = answers
        self._shares = shares
        self._flights: Flights[Piece] = Flights()

    async def chat(self, question: Question, tried: Tried) -> AsyncGenerator[Piece, None]:
        """As `Ladder.chat`. What a model says now is remembered once `tried.accepted` was called."""
        key = self._key(question)
        if key is None:
            stream = self._ladder.chat(question.ask, question.deadline, tried, question.payer)
        elif (found := await self._answers.find(key)) is not None:
            stream = self._from_cache(found, question, tried)
        else:
            stream = self._shared(key, question, tried)
        async with aclosing(stream):
            async for piece in stream:
                yield piece

    def _key(self, question: Question) -> str | None:
        if question.private or not self._shares:
            return None
        return key_of(question.payer.tenant, self._ladder.name, question.knowledge, question.ask)

    async def _from_cache(self, found: Answer, question: Question, tried: Tried) -> AsyncGenerator[Piece, None]:
        route = self._ladder.route(found.model)
        yield Chosen(Remembered(route.model, route.breaker, route.level))
        yield found.text
        self._spared(found, question, tried, "cache")
        yield ModelReply("stop", found.told_model)

    async def _shared(self, key: str, question: Question, tried: Tried) -> AsyncGenerator[Piece, None]:
        follows = self._flights.flying(key)
        stream = self._flights.join(
            key, lambda: self._ladder.chat(question.ask, question.deadline, tried, question.payer)
        )
        route, text = None, ""
        async with aclosing(stream), _told(tried, follows=follows):
            async for piece in stream:
                if isinstance(piece, Chosen):
                    route = piece.route
                elif isinstance(piece, str):
                    text += piece
                elif route is not None:
                    tokens = (piece.input_tokens, piece.cached_tokens, piece.output_tokens)
                    answer = Answer(text, route.model.name, piece.model, *tokens)
                    if follows:
                        self._spared(answer, question, tried, "single_flight")
                    elif piece.finish_reason == "stop" and piece.reported:
                        tried.on_accepted = lambda kept=answer: self._answers.keep(key, kept)
                yield piece

    def _spared(self, answer: Answer, question: Question, tried: Tried, by: str) -> None:
        tokens = (answer.input_tokens, answer.cached_tokens, answer.output_tokens)
        usage = Usage(
            new_id("use"), question.payer, answer.model, 0.0, outcome="spared", saved_by=by,
            input_tokens=tokens[0], cached_tokens=tokens[1], output_tokens=tokens[2],
        )  # fmt: skip
        counter(names.CALLS_SPARED, by).inc()
        tried.saved_by = by
        self._ladder.note(usage, tried)


@asynccontextmanager
async def _told(tried: Tried, *, follows: bool) -> AsyncIterator[None]:
    """Who waited for another's call has tried nothing itself, and says so."""
    try:
        yield
    except NoModel:
        if follows:
            tried.notes.append("the call that was shared failed")
        raise
