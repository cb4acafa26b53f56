"""A session under test: inputs go in one by one, everything that was decided is kept."""

from typing import Any

from parley.contracts.v1 import (
    CloseRequested,
    EventMeta,
    HandbackRequested,
    Handoff,
    Message,
    MessageReceived,
    Sender,
    SenderKind,
    StopRequested,
    StreamAttached,
    TakeoverRequested,
    TurnCompleted,
    TurnRequested,
    TurnStarted,
)
from parley.core import new_id
from parley.testing.builders import SESSION, TENANT, a_message_received, a_meta, an_agent
from parley_session_router.machine import Decision, Rules, RunningTurn, SessionState, step

NOW = 1_800_000_000.0
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


class Conversation:
    """Steps the machine; `said` is the stream, `sent` all events that left."""

    def __init__(self, **rules: Any) -> None:
        self.state = SessionState(TENANT, SESSION)
        self.rules = Rules(**rules)
        self.now = NOW
        self.said: list[Any] = []
        self.sent: list[Any] = []
        self.answers: list[Any] = []

    def hear(self, event: Any) -> Decision:
        decision = step(self.state, event, self.now, self.rules, traceparent=TRACE)
        self.state = decision.state
        self.said += [entry.event for entry in decision.entries]
        self.sent += [event for _, event in decision.sends]
        self.answers += decision.answers
        return decision

    def write(self, text: str = "多久可以退货？", **fields: Any) -> MessageReceived:
        event = a_message_received(text, **fields)
        self.hear(event)
        return event

    @property
    def turn(self) -> RunningTurn:
        assert self.state.turn is not None, "no turn is running"
        return self.state.turn

    @property
    def kinds(self) -> list[str]:
        return [event.WhichOneof("body") for event in self.said]

    def all(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.sent if isinstance(event, kind)]

    def begin(self, engine: str = "e1") -> None:
        self.hear(TurnStarted(meta=a_meta(), turn_id=self.turn.turn_id, engine_id=engine))

    def answer(self, text: str = "七天内可以退货。") -> TurnCompleted:
        event = a_result(self.turn, text)
        self.hear(event)
        return event

    def take_over(self, agent: Sender | None = None, *, request: str = "r1") -> None:
        self.hear(a_takeover(agent, request=request))

    def wait_for_a_person(self) -> None:
        self.write("我要找人工")
        self.hear(a_result(self.turn, "请稍候。", handoff="asked_for_person"))


def a_result(turn: RunningTurn, text: str = "七天内可以退货。", *, handoff: str = "") -> TurnCompleted:
    event = TurnCompleted(
        meta=a_meta(),
        turn_id=turn.turn_id,
        ownership=turn.ownership,
        reply=Message(text=text, origin="extractive", sender=Sender(kind=SenderKind.SENDER_KIND_ENGINE, name="Parley")),
    )
    if handoff:
        event.handoff.CopyFrom(Handoff(reason=handoff))
    return event


def a_takeover(agent: Sender | None = None, *, request: str = "r1") -> TakeoverRequested:
    return TakeoverRequested(meta=a_meta(), agent=agent or an_agent(), request_id=request, gateway_id="g9")


def a_handback(agent: Sender | None = None, *, request: str = "r2") -> HandbackRequested:
    return HandbackRequested(meta=a_meta(), agent=agent or an_agent(), request_id=request, gateway_id="g9")


def a_close(by: Sender | None = None, *, request: str = "r3") -> CloseRequested:
    return CloseRequested(meta=a_meta(), by=by or an_agent(), request_id=request, gateway_id="g9")


def a_stop(message_id: str = "", *, event_id: str = "stop-1") -> StopRequested:
    meta = EventMeta(tenant_id=TENANT, session_id=SESSION, event_id=event_id)
    return StopRequested(meta=meta, message_id=message_id)


def an_attach(gateway: str) -> StreamAttached:
    return StreamAttached(meta=a_meta(), gateway_id=gateway)


def an_agents_message(
    text: str = "您好，我是李娜。", agent: Sender | None = None, *, external_id: str = "a1"
) -> MessageReceived:
    event = a_message_received(text, external_id=external_id)
    event.sender.CopyFrom(agent or an_agent())
    event.meta.event_id = new_id("ev")
    return event


def the_question(conversation: Conversation) -> TurnRequested:
    asked: TurnRequested = conversation.all(TurnRequested)[-1]
    return asked
