"""What the engine says: a quote when it is sure, an honest handoff when it is not, whatever fails on the way."""

from collections.abc import AsyncGenerator

import grpc
import grpc.aio
import pytest

from parley.contracts.v1 import Source
from parley.core import SystemClock
from parley.testing import VirtualClock
from parley.testing.builders import a_turn, a_visitor
from parley_ai_engine.admission.breaker import Breaker
from parley_ai_engine.cache.answers import MemoryAnswers
from parley_ai_engine.cache.remembering import Remembering
from parley_ai_engine.pipeline.answering import Answerer
from parley_ai_engine.pipeline.evidence import Evidence
from parley_ai_engine.pipeline.ladder import Ladder, Route
from parley_ai_engine.pipeline.streaming import ChunkWriter
from parley_ai_engine.pipeline.turn import Turn
from parley_ai_engine.providers.port import Ask, ModelFailed, ModelReply
from parley_ai_engine.settings import EngineSettings

RETURNS = Source(document_id="returns", title="退货", version=3, passage="七天内可以无理由退货。运费由我们承担。")


class Shelf:
    """A knowledge of one passage."""

    def __init__(self, answerable: float = 0.93) -> None:
        self.answerable = answerable
        self.queries: list[str] = []

    async def search(self, tenant: str, query: str, language: str, *, seconds: float) -> Evidence:
        self.queries.append(query)
        return Evidence((RETURNS,), "七天内可以无理由退货。", self.answerable)


class DeadShelf:
    async def search(self, tenant: str, query: str, language: str, *, seconds: float) -> Evidence:
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())


class ScriptedModel:
    """Says what it is told to, then ends or fails."""

    name = "scripted"

    def __init__(self, *pieces: str, fails: str = "") -> None:
        self._pieces = pieces
        self._fails = fails
        self.prompts: list[Ask] = []

    async def chat(self, ask: Ask) -> AsyncGenerator[str | ModelReply, None]:
        self.prompts.append(ask)
        for piece in self._pieces:
            yield piece
        if self._fails:
            raise ModelFailed(self._fails, "scripted")
        yield ModelReply("stop", "scripted-1", 10, 5)


class Screen:
    """What a visitor would see while the reply is written."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str]] = []

    def begin(self, origin: str) -> ChunkWriter:
        return ChunkWriter(lambda _, delta: self.shown.append((origin, delta)), VirtualClock())


def a_question(*asked: str) -> Turn:
    return Turn.from_event(a_turn(*asked))


def the_answerer(knowledge: object = None, model: object = None, **settings: object) -> Answerer:
    clock = SystemClock()
    ladder = Ladder([Route(model, Breaker(clock))], clock)  # type: ignore[arg-type]  # scripted
    models = Remembering(ladder, MemoryAnswers(0, clock)) if model else None
    return Answerer(knowledge or Shelf(), models, EngineSettings(**settings))  # type: ignore[arg-type]  # scripted parts


async def test_a_sure_answer_is_quoted_with_its_source_and_shown_as_it_comes() -> None:
    screen = Screen()
    reply = await the_answerer().answer(a_question("多久可以退货？"), screen.begin)
    assert reply.text == "七天内可以无理由退货。"
    assert (reply.origin, reply.sources[0].document_id, reply.handoff) == ("extractive", "returns", None)
    assert "".join(text for _, text in screen.shown) == reply.text


async def test_an_unsure_answer_is_never_shown_but_handed_to_a_person() -> None:
    screen = Screen()
    reply = await the_answerer(Shelf(answerable=0.2)).answer(a_question("你们卖火箭吗？"), screen.begin)
    assert reply.handoff is not None
    assert reply.handoff.reason == "not_sure"
    assert (reply.notice, reply.origin, list(reply.handoff.tried)) == ("not_sure", "rule", ["退货"])
    assert "不知道" in reply.text
    assert screen.shown == []


async def test_an_english_question_is_answered_in_english() -> None:
    reply = await the_answerer(Shelf(answerable=0.1)).answer(a_question("Do you sell rockets?"), Screen().begin)
    assert "I don't know" in reply.text


async def test_a_knowledge_that_does_not_answer_leads_to_a_person_not_to_an_error() -> None:
    reply = await the_answerer(DeadShelf()).answer(a_question("多久可以退货？"), Screen().begin)
    assert reply.handoff is not None


WISHES = ["转人工", "我要找真人客服", "人工客服", "Can I talk to a human please", "agent", "真人！"]
QUESTIONS = ["人工智能手表保修多久？", "Which agent ships my parcel to Berlin?", "你好，请问几点开门？"]


@pytest.mark.parametrize("wish", WISHES)
async def test_who_asks_for_a_person_gets_one_without_a_search(wish: str) -> None:
    shelf = Shelf()
    reply = await the_answerer(shelf).answer(a_question(wish), Screen().begin)
    assert reply.handoff is not None
    assert reply.handoff.reason == "asked_for_person"
    assert shelf.queries == []


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_that_only_sounds_like_a_wish_or_a_greeting_is_searched(question: str) -> None:
    shelf = Shelf()
    await the_answerer(shelf).answer(a_question(question), Screen().begin)
    assert shelf.queries == [question]


async def test_a_follow_up_is_searched_with_the_question_before_it() -> None:
    shelf = Shelf()
    event = a_turn("那海外呢？")
    event.recent.add(text="多久可以送到？").sender.CopyFrom(a_visitor())
    await the_answerer(shelf).answer(Turn.from_event(event), Screen().begin)
    assert shelf.queries == ["多久可以送到？ 那海外呢？"]


async def test_a_model_answers_from_the_passages_and_says_so() -> None:
    screen, model = Screen(), ScriptedModel("七天", "内都可以退。")
    reply = await the_answerer(model=model).answer(a_question("多久可以退货？"), screen.begin)
    assert (reply.text, reply.origin) == ("七天内都可以退。", "llm")
    assert "七天内可以无理由退货" in model.prompts[0].messages[0].text
    assert reply.message(a_question("x"), "e1", "t").ai_generated


async def test_a_model_that_is_not_sure_leads_to_a_person_and_its_word_is_never_shown() -> None:
    screen = Screen()
    reply = await the_answerer(model=ScriptedModel("NOT", "_SURE")).answer(a_question("多久？退货可以吗"), screen.begin)
    assert reply.handoff is not None
    assert screen.shown == []


@pytest.mark.parametrize("pieces", [(), ("七天内",)])
@pytest.mark.parametrize("failure", ["timeout", "refused", "truncated", "unreachable"])
async def test_a_model_that_fails_at_any_point_falls_back_to_the_quote(failure: str, pieces: tuple[str, ...]) -> None:
    model = ScriptedModel(*pieces, fails=failure)
    reply = await the_answerer(model=model).answer(a_question("多久可以退货？"), Screen().begin)
    assert (reply.origin, reply.text) == ("extractive", "七天内可以无理由退货。")


async def test_a_model_is_not_asked_where_the_evidence_is_weak() -> None:
    model = ScriptedModel("anything")
    await the_answerer(Shelf(answerable=0.3), model).answer(a_question("天气如何？明天会下雨吗"), Screen().begin)
    assert model.prompts == []


async def test_echo_answers_with_the_question_and_calls_nobody() -> None:
    shelf = Shelf()
    reply = await the_answerer(shelf, echo=True).answer(a_question("ping"), Screen().begin)
    assert (reply.text, reply.origin, shelf.queries) == ("ping", "rule", [])
