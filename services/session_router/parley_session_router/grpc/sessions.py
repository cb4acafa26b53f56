"""`Sessions`: read-only, so every replica can answer, owner of the shard or not."""

from typing import Any

from parley.contracts.v1 import (
    GetSessionRequest,
    GetSessionResponse,
    HistoryRequest,
    HistoryResponse,
    ListSessionsRequest,
    ListSessionsResponse,
    OutboxItem,
    OutboxRequest,
    OutboxResponse,
    ResolveSessionRequest,
    ResolveSessionResponse,
    SessionsServicer,
    StreamEvent,
)
from parley.core import Invalid, NotFound
from parley_session_router.grpc.showing import as_message
from parley_session_router.machine.decision import STATUS
from parley_session_router.store import SessionKey, SessionStore, visitor_session

LIMIT, MOST = 100, 300
_WORD = {status: word for word, status in STATUS.items()}


class SessionQuestions(SessionsServicer):
    """Answers from the store."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def GetSession(self, request: GetSessionRequest, context: Any) -> GetSessionResponse:  # noqa: N802 - contract
        """NOT_FOUND for a session of another tenant too."""
        key = _key(request.tenant_id, request.session_id)
        found = (await self._store.load([key])).get(key)
        if found is None:
            raise NotFound(f"there is no session {request.session_id}")
        return GetSessionResponse(session=as_message(found))

    async def History(self, request: HistoryRequest, context: Any) -> HistoryResponse:  # noqa: N802 - contract
        """Empty for a session in which nothing was said yet."""
        key = _key(request.tenant_id, request.session_id)
        page = await self._store.history(
            key,
            after_seq=request.after_seq,
            limit=min(request.limit or LIMIT, MOST),
            before_seq=request.before_seq or None,
        )
        if page is None:
            return HistoryResponse(epoch=1)
        events = [StreamEvent.FromString(entry.payload) for entry in page.entries]
        return HistoryResponse(epoch=page.epoch, head_seq=page.head_seq, events=events)

    async def ListSessions(self, request: ListSessionsRequest, context: Any) -> ListSessionsResponse:  # noqa: N802
        """Waiting ones longest first."""
        _need(request.tenant_id, "tenant_id")
        page = await self._store.list_sessions(
            request.tenant_id,
            status=_WORD.get(request.status, ""),
            after=request.after,
            limit=min(request.limit or LIMIT, MOST),
        )
        return ListSessionsResponse(sessions=[as_message(found) for found in page.sessions], next=page.next)

    async def ResolveSession(  # noqa: N802 - contract
        self, request: ResolveSessionRequest, context: Any
    ) -> ResolveSessionResponse:
        """Follows from the visitor's id, so it needs no state and never fails for a new visitor."""
        for field in ("tenant_id", "channel", "external_id"):
            _need(getattr(request, field), field)
        found = visitor_session(request.tenant_id, request.channel, request.external_id)
        return ResolveSessionResponse(session_id=found)

    async def Outbox(self, request: OutboxRequest, context: Any) -> OutboxResponse:  # noqa: N802 - contract
        """What a channel has to send, in one order for ever."""
        _need(request.tenant_id, "tenant_id")
        _need(request.channel, "channel")
        found = await self._store.channel_outbox(
            request.tenant_id, request.channel, cursor=request.cursor, limit=min(request.limit or LIMIT, MOST)
        )
        items = [
            OutboxItem(
                session_id=one.session,
                recipient=one.recipient,
                event=StreamEvent.FromString(one.entry.payload),
                cursor=one.cursor,
            )
            for one in found
        ]
        return OutboxResponse(items=items, next=found[-1].cursor if found else request.cursor)


def _key(tenant: str, session: str) -> SessionKey:
    _need(tenant, "tenant_id")
    _need(session, "session_id")
    return SessionKey(tenant, session)


def _need(value: str, field: str) -> None:
    if not value:
        raise Invalid(f"{field} is missing")
