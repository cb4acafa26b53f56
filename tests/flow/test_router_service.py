"""The session-router as a service: messages in by the bus, questions over gRPC, every answer of one tenant only."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from parley.contracts.v1 import (
    Deliver,
    GetSessionRequest,
    HandoffRequested,
    HistoryRequest,
    ListSessionsRequest,
    Message,
    MessageReceived,
    OutboxRequest,
    ResolveSessionRequest,
    Sender,
    SenderKind,
    SendMessage,
    Session,
    SessionsStub,
    SessionStatus,
    TurnCompleted,
    TurnFailed,
    TurnRequested,
    VisitorTyping,
)
from parley.service.grpc import connect
from parley.telemetry.metrics import exposition
from parley.testing import TestBench
from parley.testing.builders import SESSION, TENANT, a_message_received, a_meta
from parley_session_router.service import service


@asynccontextmanager
async def a_router() -> AsyncIterator[tuple[TestBench[Any], Any]]:
    async with TestBench(service) as bench, connect(bench.ctx.settings.grpc_target("session-router")) as channel:
        yield bench, SessionsStub(channel)


async def shown(
    sessions: Any, fact: Callable[[Session], object], *, each_time: Callable[[], Awaitable[None]] | None = None
) -> Session:
    """The session, once it is as it should be."""
    async with asyncio.timeout(5):
        while True:
            answer = await sessions.GetSession(GetSessionRequest(tenant_id=TENANT, session_id=SESSION))
            session: Session = answer.session
            if fact(session):
                return session
            if each_time is not None:
                await each_time()


async def test_a_session_can_be_asked_for_and_read() -> None:
    async with a_router() as (bench, sessions):
        await bench.publish(a_message_received("我要退款"))
        await bench.publish(a_message_received("订单 7"))
        await bench.until(lambda: len(bench.sent(Deliver)) == 2)
        found = (await sessions.GetSession(GetSessionRequest(tenant_id=TENANT, session_id=SESSION))).session
        assert (found.status, found.head_seq, found.last_text) == (SessionStatus.SESSION_STATUS_OPEN, 2, "订单 7")
        assert found.running_turn == bench.sent(TurnRequested)[-1].turn_id
        assert found.why[0].startswith("asked the engine")
        assert [decision.why for decision in found.decisions] == list(found.why)
        assert found.decisions[0].at.seconds == found.changed_at.seconds
        assert found.turn_deadline.seconds == found.changed_at.seconds + 45
        assert (found.unanswered, found.HasField("idle_at"), found.shard_epoch) == (2, False, 1)
        page = await sessions.History(HistoryRequest(tenant_id=TENANT, session_id=SESSION, after_seq=1))
        assert [event.message.text for event in page.events] == ["订单 7"]
        back = await sessions.History(HistoryRequest(tenant_id=TENANT, session_id=SESSION, before_seq=2))
        assert [event.seq for event in back.events] == [1]


async def test_a_burst_gets_one_answer_to_all_of_it_and_the_vain_work_is_counted() -> None:
    async with a_router() as (bench, sessions):
        for number, text in enumerate(("你好", "我的订单", "什么时候到？"), 1):
            await bench.publish(a_message_received(text, gateway=""))
            await bench.until(lambda: len(bench.sent(TurnRequested)) == number)  # noqa: B023 - awaited here
            await bench.clock.advance(0.5)
        asked = bench.sent(TurnRequested)[-1]
        assert [message.text for message in asked.asked] == ["你好", "我的订单", "什么时候到？"]
        answer = Message(text="您的订单明天到。", sender=Sender(kind=SenderKind.SENDER_KIND_ENGINE))
        for turn in bench.sent(TurnRequested):
            completed = TurnCompleted(meta=a_meta(), turn_id=turn.turn_id, ownership=1, reply=answer)
            await bench.publish(completed)
        await shown(sessions, lambda session: not session.running_turn)
        page = await sessions.History(HistoryRequest(tenant_id=TENANT, session_id=SESSION))
        assert [event.WhichOneof("body") for event in page.events] == ["message", "message", "message", "message_end"]
        assert b'parley_turns_cancelled_seconds_total{reason="superseded"}' in exposition()


async def test_who_types_on_is_waited_for_but_not_for_ever() -> None:
    async with a_router() as (bench, sessions):
        await bench.publish(a_message_received("你好"))
        await bench.until(lambda: bench.sent(TurnRequested))
        await bench.publish(VisitorTyping(meta=a_meta(), gateway_id="g1"))
        waiting = await shown(sessions, lambda session: session.HasField("starts_at"))
        assert waiting.starts_at.seconds == waiting.changed_at.seconds + 2
        assert not waiting.running_turn
        await bench.clock.advance(1.5)
        assert len(bench.sent(TurnRequested)) == 1
        asked = await shown(sessions, lambda session: session.running_turn, each_time=lambda: bench.clock.advance(0.25))
        await bench.until(lambda: bench.sent(TurnRequested)[-1].turn_id == asked.running_turn)


async def test_those_who_wait_for_a_person_are_listed() -> None:
    async with a_router() as (bench, sessions):
        await bench.publish(a_message_received("人工！"))
        await bench.until(lambda: bench.sent(TurnRequested))
        turn = bench.sent(TurnRequested)[0].turn_id
        await bench.publish(TurnFailed(meta=a_meta(), turn_id=turn, ownership=1, reason="x"))
        await bench.until(lambda: bench.sent(HandoffRequested))
        waiting = ListSessionsRequest(tenant_id=TENANT, status=SessionStatus.SESSION_STATUS_WAITING)
        assert [s.session_id for s in (await sessions.ListSessions(waiting)).sessions] == [SESSION]
        await shown(sessions, lambda _: _counted(1), each_time=lambda: bench.clock.advance(1))
        opened = ListSessionsRequest(tenant_id=TENANT, status=SessionStatus.SESSION_STATUS_OPEN)
        assert not (await sessions.ListSessions(opened)).sessions


async def test_another_tenant_sees_nothing() -> None:
    async with a_router() as (bench, sessions):
        await bench.publish(a_message_received("秘密"))
        await bench.until(lambda: bench.sent(Deliver))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await sessions.GetSession(GetSessionRequest(tenant_id="other", session_id=SESSION))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        page = await sessions.History(HistoryRequest(tenant_id="other", session_id=SESSION))
        assert (page.head_seq, list(page.events)) == (0, [])
        assert not (await sessions.ListSessions(ListSessionsRequest(tenant_id="other"))).sessions


async def test_a_question_without_its_tenant_is_refused_by_name() -> None:
    async with a_router() as (_, sessions):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await sessions.GetSession(GetSessionRequest(session_id=SESSION))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "tenant_id" in str(refused.value.details())


async def test_what_a_channel_has_to_send_is_read_once_by_its_cursor() -> None:
    async with a_router() as (bench, sessions):
        asked = ResolveSessionRequest(tenant_id=TENANT, channel="wechat", external_id="openid-7")
        session = (await sessions.ResolveSession(asked)).session_id
        assert (await sessions.ResolveSession(asked)).session_id == session
        await bench.publish(_of_wechat(session))
        await bench.until(lambda: bench.sent(TurnRequested))
        await bench.publish(SendMessage(meta=a_meta(session=session), text="您好！", external_message_id="w1"))
        await bench.until(lambda: len(bench.sent(Deliver)) == 2)
        first = await sessions.Outbox(OutboxRequest(tenant_id=TENANT, channel="wechat"))
        assert [(i.recipient, i.event.message_end.text) for i in first.items] == [("openid-7", "您好！")]
        after = await sessions.Outbox(OutboxRequest(tenant_id=TENANT, channel="wechat", cursor=first.next))
        assert (list(after.items), after.next) == ([], first.next)


def _counted(waiting: int) -> bool:
    return f"\nparley_sessions_waiting {waiting:.1f}\n".encode() in exposition()


def _of_wechat(session: str) -> MessageReceived:
    event = a_message_received("在吗", session=session)
    event.channel, event.sender.id = "wechat", "openid-7"
    return event
