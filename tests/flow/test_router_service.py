"""The session-router as a service: messages in by the bus, questions over gRPC, every answer of one tenant only."""

from collections.abc import AsyncIterator
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
    MessageReceived,
    OutboxRequest,
    ResolveSessionRequest,
    SendMessage,
    SessionsStub,
    SessionStatus,
    TurnFailed,
    TurnRequested,
)
from parley.service.grpc import connect
from parley.testing import TestBench
from parley.testing.builders import SESSION, TENANT, a_message_received, a_meta
from parley_session_router.service import service


@asynccontextmanager
async def a_router() -> AsyncIterator[tuple[TestBench[Any], Any]]:
    async with TestBench(service) as bench, connect(bench.ctx.settings.grpc_target("session-router")) as channel:
        yield bench, SessionsStub(channel)


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


async def test_those_who_wait_for_a_person_are_listed() -> None:
    async with a_router() as (bench, sessions):
        await bench.publish(a_message_received("人工！"))
        await bench.until(lambda: bench.sent(TurnRequested))
        turn = bench.sent(TurnRequested)[0].turn_id
        await bench.publish(TurnFailed(meta=a_meta(), turn_id=turn, ownership=1, reason="x"))
        await bench.until(lambda: bench.sent(HandoffRequested))
        waiting = ListSessionsRequest(tenant_id=TENANT, status=SessionStatus.SESSION_STATUS_WAITING)
        assert [s.session_id for s in (await sessions.ListSessions(waiting)).sessions] == [SESSION]
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


def _of_wechat(session: str) -> MessageReceived:
    event = a_message_received("在吗", session=session)
    event.channel, event.sender.id = "wechat", "openid-7"
    return event
