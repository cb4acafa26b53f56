"""Plays a conversation on the real pipeline: real knowledge, real ladder and guards; only the model is scripted."""

from collections.abc import Iterator
from contextlib import AsyncExitStack

from parley.contracts.v1 import Message, Sender, SenderKind, TurnRequested
from parley.core import Clock, new_id
from parley_ai_engine.pipeline.answering import Answerer
from parley_ai_engine.pipeline.evidence import Knowledge
from parley_ai_engine.pipeline.streaming import ChunkWriter
from parley_ai_engine.pipeline.turn import Reply, Turn
from parley_ai_engine.rehearsal.cases import Conversation, Expected, Scripted, TurnCase
from parley_ai_engine.rehearsal.scripted import PLACE, ScriptedModel, scripted
from parley_ai_engine.routes import open_ladder
from parley_ai_engine.settings import EngineSettings, ModelSettings

TURN_SECONDS = 20.0
ENGINE = SenderKind.SENDER_KIND_ENGINE
VISITOR = SenderKind.SENDER_KIND_VISITOR


async def play(conversation: Conversation, knowledge: Knowledge, tenant: str, clock: Clock) -> list[str]:
    """What differs from what was expected, a line each."""
    settings, name = EngineSettings(), new_id("scripted")
    with_model = any(turn.model is not None for turn in conversation.turns)
    chosen = ModelSettings(url="http://scripted", model=name, vendor=PLACE) if with_model else ModelSettings()
    wrong: list[str] = []
    async with AsyncExitStack() as stack:
        ladder = await stack.enter_async_context(open_ladder(settings, chosen, clock))
        answerer, said = Answerer(knowledge, ladder, settings), list[Message]()
        for number, case in enumerate(conversation.turns, 1):
            model = scripted(name) if with_model else None
            if model is not None:
                model.script, model.read = case.model or Scripted(), []
            reply, shown = await _reply(answerer, conversation, case, said, tenant, clock)
            wrong += [f"turn {number}: {one}" for one in differences(case.expect, reply, shown, model)]
            said += [_message(VISITOR, case.says), _message(ENGINE, reply.text)]
    return wrong


async def _reply(
    answerer: Answerer, conversation: Conversation, case: TurnCase, said: list[Message], tenant: str, clock: Clock
) -> tuple[Reply, str]:
    event = TurnRequested(turn_id=new_id("trn"), asked=[_message(VISITOR, case.says)], recent=said[-12:])
    event.meta.tenant_id, event.meta.session_id, event.locale = tenant, new_id("ses"), conversation.locale
    event.deadline.FromMilliseconds(int((clock.now() + TURN_SECONDS) * 1000))
    shown: list[str] = []
    writer = ChunkWriter(lambda _, delta: shown.append(delta), clock)
    return await answerer.answer(Turn.from_event(event), lambda _: writer), "".join(shown)


def _message(kind: SenderKind.ValueType, text: str) -> Message:
    return Message(message_id=new_id("msg"), sender=Sender(kind=kind), text=text)


def differences(expect: Expected, reply: Reply, shown: str, model: ScriptedModel | None) -> Iterator[str]:
    """What is expected and is not so, in words."""
    handoff = reply.handoff.reason if reply.handoff else "none"
    guard = reply.why.get("guard", "none")
    for what, wanted, found in (
        ("origin", expect.origin, reply.origin),
        ("level", expect.level, reply.level),
        ("handoff", expect.handoff, handoff),
    ):
        if wanted is not None and wanted != found:
            yield f"{what} is {found}, expected {wanted}"
    if expect.guard is not None and expect.guard not in guard:
        yield f"guard is {guard}, expected {expect.guard}"
    places = [f"{source.uri} {source.title} {source.document_id}" for source in reply.sources]
    for part in expect.sources:
        if not any(part in place for place in places):
            yield f"no source is {part}; there are {', '.join(places) or 'none'}"
    tools = tuple(filter(None, reply.why.get("tools", "").split(", ")))
    if expect.tools is not None and expect.tools != tools:
        yield f"tools called are {', '.join(tools) or 'none'}, expected {', '.join(expect.tools) or 'none'}"
    yield from _words(expect, reply.text, shown)
    read = "\n".join(model.read) if model else ""
    yield from (f"the model never read “{word}”" for word in expect.model_reads if word not in read)
    yield from (f"the model read “{word}”" for word in expect.model_never_reads if word in read)


def _words(expect: Expected, text: str, shown: str) -> Iterator[str]:
    for word in expect.words:
        if word.casefold() not in text.casefold():
            yield f"“{word}” is not in the reply: {text}"
    for word in expect.without:
        if word.casefold() in f"{text}\n{shown}".casefold():
            yield f"“{word}” was shown: {text}"
