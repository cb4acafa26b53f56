"""A gateway's desk on a bus in memory: the router is the test, the other services answer from dictionaries."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
import grpc.aio
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parley.bus import Delivery, Event
from parley.bus.open import open_bus
from parley.bus.queues import durable_queues, gateway_replica, sessions
from parley.contracts.v1 import (
    Accepted,
    ApiKey,
    ClientFrame,
    Deliver,
    FetchMediaResponse,
    GetSessionResponse,
    Hello,
    IssueVisitorTokenResponse,
    ListSessionsResponse,
    MediaRef,
    Message,
    MessageReceived,
    OutboxItem,
    OutboxResponse,
    ReplyChunk,
    ResolveKeyResponse,
    ResolveSessionResponse,
    Send,
    Session,
    SiteOrigins,
    SiteOriginsResponse,
    StoreMediaResponse,
    StreamEvent,
    StreamPosition,
    VerificationKey,
    VerificationKeysResponse,
)
from parley.contracts.v1 import HistoryResponse as History
from parley.core import new_id
from parley.core.settings import PlaceSettings
from parley.service import Context
from parley.telemetry import Log, Tracing
from parley.testing import VirtualClock
from parley.testing.builders import a_meta, a_timestamp
from parley_gateway.access import Access
from parley_gateway.desk import Desk
from parley_gateway.door import Knock
from parley_gateway.inbox import Inbox
from parley_gateway.limits import RateLimit
from parley_gateway.media import MediaDesk
from parley_gateway.realtime.connection import Connection
from parley_gateway.realtime.frames import to_json
from parley_gateway.realtime.streams import Streams
from parley_gateway.settings import GatewaySettings

TENANT, SESSION, OTHER = "demo", "ses_王小明", "ses_李雷"
KEY: tuple[str, str] = (TENANT, SESSION)
HERE = Knock("127.0.0.1", "", "shop.example")
PRIVATE = Ed25519PrivateKey.generate()
PUBLIC_PEM = PRIVATE.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
API_KEY = "pk_good"

K = TypeVar("K", bound=Event)


def refused(code: grpc.StatusCode, details: str = "") -> grpc.aio.AioRpcError:
    """What a stub raises."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)


DOWN = refused(grpc.StatusCode.UNAVAILABLE)


def a_token(
    session: str = SESSION, *, tenant: str = TENANT, seconds: float = 3600, kid: str = "k1", **claims: Any
) -> str:
    """A visitor token of the fake router."""
    body = {"iss": "parley", "aud": "visitor", "sub": session, "tenant": tenant, "exp": int(time.time() + seconds)}
    return jwt.encode({**body, **claims}, PRIVATE, algorithm="EdDSA", headers={"kid": kid})


class Router:
    """Who may come in and what is stored, as the session-router would answer over gRPC."""

    def __init__(self) -> None:
        self.stored: dict[str, list[StreamEvent]] = {}
        self.epoch = 1
        self.keys = {API_KEY: ApiKey(key_id="k_agent", tenant_id=TENANT, name="李娜", scopes=["ingest", "agent"])}
        self.origins: dict[str, list[str]] = {TENANT: ["https://shop.example"]}
        self.down: grpc.aio.AioRpcError | None = None
        self.signing = "k1"
        self.asked: list[str] = []
        self.hold: asyncio.Event | None = None  # History waits for it
        self.media: dict[str, str] = {}  # media_id -> session
        self.slow_media: asyncio.Event | None = None
        self.sessions: dict[str, Session] = {}
        self.outbox: list[OutboxItem] = []

    def store(self, *texts: str, session: str = SESSION) -> list[StreamEvent]:
        """Add messages to a session."""
        events = self.stored.setdefault(session, [])
        added = [an_event(len(events) + n, text) for n, text in enumerate(texts, 1)]
        events.extend(added)
        return added

    def _asked(self, name: str) -> None:
        self.asked.append(name)
        if self.down is not None:
            raise self.down

    async def History(self, request: Any, timeout: float) -> History:  # noqa: N802
        self._asked("History")
        events = list(self.stored.get(request.session_id, []))
        if self.hold is not None:
            await self.hold.wait()
        wanted = [e for e in events if e.seq > request.after_seq][: request.limit]
        return History(epoch=self.epoch, head_seq=events[-1].seq if events else 0, events=wanted)

    async def ResolveKey(self, request: Any, timeout: float) -> ResolveKeyResponse:  # noqa: N802
        self._asked("ResolveKey")
        if request.key not in self.keys:
            raise refused(grpc.StatusCode.UNAUTHENTICATED, "this API key is not known here")
        return ResolveKeyResponse(key=self.keys[request.key])

    async def IssueVisitorToken(self, request: Any, timeout: float) -> IssueVisitorTokenResponse:  # noqa: N802
        self._asked("IssueVisitorToken")
        if request.site_key != "demo":
            raise refused(grpc.StatusCode.INVALID_ARGUMENT, "this site key is not known here")
        session = new_id("ses")
        issued = IssueVisitorTokenResponse(token=a_token(session), session_id=session, tenant_id=TENANT)
        issued.expires_at.CopyFrom(a_timestamp(int(time.time()) + 3600))
        return issued

    async def VerificationKeys(self, request: Any, timeout: float) -> VerificationKeysResponse:  # noqa: N802
        self._asked("VerificationKeys")
        return VerificationKeysResponse(keys=[VerificationKey(kid=self.signing, public_key_pem=PUBLIC_PEM.decode())])

    async def FetchMedia(self, request: Any, timeout: float) -> FetchMediaResponse:  # noqa: N802
        self._asked("FetchMedia")
        if self.slow_media is not None:
            await self.slow_media.wait()
        owner = self.media.get(request.media_id)
        if owner is None or (request.session_id and owner != request.session_id) or request.tenant_id != TENANT:
            raise refused(grpc.StatusCode.NOT_FOUND, "there is no such picture")
        kind = "image/webp" if "image/webp" in request.accept else "image/png"
        return FetchMediaResponse(media=MediaRef(media_id=request.media_id, mime_type=kind), content=b"png")

    async def StoreMedia(self, request: Any, timeout: float) -> StoreMediaResponse:  # noqa: N802
        self._asked("StoreMedia")
        if not request.content.startswith(b"png"):
            raise refused(grpc.StatusCode.INVALID_ARGUMENT, "this is not a picture")
        self.media["med_1"] = request.session_id
        return StoreMediaResponse(media=MediaRef(media_id="med_1", mime_type="image/png", name=request.file_name))

    async def ResolveSession(self, request: Any, timeout: float) -> ResolveSessionResponse:  # noqa: N802
        self._asked("ResolveSession")
        return ResolveSessionResponse(session_id=f"ses_{request.channel}_{request.external_id}")

    async def GetSession(self, request: Any, timeout: float) -> GetSessionResponse:  # noqa: N802
        self._asked("GetSession")
        if request.tenant_id != TENANT or request.session_id not in self.sessions:
            raise refused(grpc.StatusCode.NOT_FOUND, f"there is no session {request.session_id}")
        return GetSessionResponse(session=self.sessions[request.session_id])

    async def ListSessions(self, request: Any, timeout: float) -> ListSessionsResponse:  # noqa: N802
        self._asked("ListSessions")
        return ListSessionsResponse(sessions=[s for s in self.sessions.values() if s.tenant_id == request.tenant_id])

    async def Outbox(self, request: Any, timeout: float) -> OutboxResponse:  # noqa: N802
        self._asked("Outbox")
        if request.cursor == "garbage":
            raise refused(grpc.StatusCode.INVALID_ARGUMENT, "this cursor is none of ours")
        return OutboxResponse(items=self.outbox, next=self.outbox[-1].cursor if self.outbox else request.cursor)

    async def SiteOrigins(self, request: Any, timeout: float) -> SiteOriginsResponse:  # noqa: N802
        self._asked("SiteOrigins")
        found = [SiteOrigins(site_key=t, tenant_id=t, origins=o) for t, o in self.origins.items()]
        return SiteOriginsResponse(sites=found)


def an_event(seq: int, text: str = "你好", *, end: str = "", client_msg_id: str = "") -> StreamEvent:
    """A stored message, or with `end` the end of that reply."""
    event = StreamEvent(seq=seq, at=a_timestamp())
    message = Message(message_id=end or f"msg_{seq}", text=text, client_msg_id=client_msg_id)
    (event.message_end if end else event.message).CopyFrom(message)
    return event


def a_chunk(index: int, delta: str, *, message_id: str = "msg_r", **fields: Any) -> ReplyChunk:
    """A preview of a reply."""
    chunk = ReplyChunk(meta=a_meta(session=SESSION), message_id=message_id, index=index, delta=delta, **fields)
    chunk.meta.producer = "ai-engine-1"
    return chunk


def a_delivery(*events: StreamEvent, epoch: int = 1, head: int = 0, **fields: Any) -> Deliver:
    """What the router tells the gateway."""
    head = head or (events[-1].seq if events else 0)
    return Deliver(meta=a_meta(session=SESSION), epoch=epoch, head_seq=head, events=events, **fields)


@dataclass
class AtDesk:
    """The desk, and what stands behind it."""

    desk: Desk
    router: Router
    clock: VirtualClock
    heard: list[Event] = field(default_factory=list)  # what reached the shard

    def of(self, kind: type[K]) -> list[K]:
        """What reached the shard of one kind."""
        return [event for event in self.heard if isinstance(event, kind)]

    async def until(self, fact: Callable[[], object]) -> None:
        """Wait until `fact()` holds."""
        async with asyncio.timeout(5):
            while not fact():  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def heard_message(self, client_msg_id: str) -> MessageReceived:
        """Wait until a message has reached the shard."""
        await self.until(lambda: any(m.external_message_id == client_msg_id for m in self.of(MessageReceived)))
        return next(m for m in self.of(MessageReceived) if m.external_message_id == client_msg_id)

    def commit(self, client_msg_id: str, text: str = "你好", *, duplicate: bool = False) -> StreamEvent:
        """Store a visitor's message and tell the gateway, as the router does."""
        (event,) = self.router.store(text)
        event.message.client_msg_id = client_msg_id
        self.desk.streams.deliver(a_delivery(event, accepted=[self.accepted(client_msg_id, event.seq, duplicate)]))
        return event

    def accepted(self, client_msg_id: str, seq: int, duplicate: bool = False) -> Accepted:
        """The answer to one message."""
        return Accepted(external_message_id=client_msg_id, message_id=f"msg_{seq}", seq=seq, duplicate=duplicate)


@asynccontextmanager
async def a_desk(tmp_path: Path, *, ratio: float = 0.0, **settings: Any) -> AsyncIterator[AtDesk]:
    """A desk whose one shard is read by the test. Its clock begins now: tokens are checked by the machine's time."""
    url, clock, router = f"memory:{new_id('t')}", VirtualClock(time.time()), Router()
    place = PlaceSettings(home=tmp_path, bus_url=url, shards=1)
    async with (
        open_bus(url, service="gateway", replica="g1") as bus,
        open_bus(url, service="router", replica="r1") as behind,
    ):
        await bus.apply_topology(durable_queues(1))
        tracing = Tracing("gateway", ratio=ratio)
        ctx: Context[Any] = Context("gateway", "g1", place, bus, clock, tracing, Log("gateway"))
        chosen, streams = GatewaySettings(**settings), Streams(tracing)
        stub = cast(Any, router)
        desk = Desk(
            ctx=ctx,
            settings=chosen,
            streams=streams,
            inbox=Inbox(ctx, streams, text_chars=chosen.text_chars),
            access=Access(stub, clock),
            sessions=stub,
            media=MediaDesk(stub),
            rates=RateLimit(chosen.messages_per_second, chosen.messages_burst),
            newcomers=RateLimit(chosen.newcomers_per_second, chosen.newcomers_burst),
            arrivals=RateLimit(chosen.arrivals_per_second, chosen.arrivals_burst),
            tenants=RateLimit(chosen.tenant_messages_per_second, chosen.tenant_messages_burst),
            log=Log("gateway"),
        )
        at = AtDesk(desk, router, clock)

        def read(deliveries: list[Delivery]) -> None:
            for delivery in deliveries:
                assert delivery.event is not None
                at.heard.append(delivery.event)
                delivery.settle()

        async with behind.subscribe(sessions(0), read), bus.subscribe(gateway_replica("g1"), lambda _: None):
            yield at


class Client:
    """One connection without a socket."""

    def __init__(self, at: AtDesk, encode: Callable[[dict[str, Any]], bytes] = to_json) -> None:
        self.at = at
        self.closed: tuple[int, str] | None = None
        self.frames: list[dict[str, Any]] = []
        self.connection = Connection(at.desk, encode, lambda: None, self._close)
        self.view = self.connection.view

    def _close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)

    async def hello(self, *, after: int = 0, epoch: int = 1, knock: Knock = HERE, **fields: Any) -> dict[str, Any]:
        """Say hello with a token and a position; the welcome."""
        position = StreamPosition(id=SESSION, epoch=epoch, after_seq=after)
        given = fields or {"token": a_token(), "streams": [position]}
        await self.connection.greet(Hello(**given), knock)
        welcome = (await self.told())[0]
        return cast(dict[str, Any], welcome["welcome"])

    def say(self, client_msg_id: str, text: str = "我要退款", **fields: Any) -> None:
        """Send a message."""
        self.connection.receive(ClientFrame(send=Send(client_msg_id=client_msg_id, text=text, **fields)))

    async def told(self) -> list[dict[str, Any]]:
        """Every frame that was written since the last look."""
        fresh: list[dict[str, Any]] = []

        async def write(frame: bytes) -> None:
            fresh.append(json.loads(frame))

        await self.view.outgoing.flush(write)
        self.frames += fresh
        return fresh

    async def until(self, count: int, kind: str) -> list[dict[str, Any]]:
        """Wait until so many frames of a kind were told, all in all."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(5):
            while len(found) < count:
                await self.told()
                found = [frame[kind] for frame in self.frames if kind in frame]
                await asyncio.sleep(0.001)
        return found

    def seqs(self) -> list[int]:
        """The durable events in the order in which they were told."""
        return [frame["event"]["seq"] for frame in self.frames if "event" in frame]


async def a_client(at: AtDesk, **hello: Any) -> Client:
    """Greeted."""
    client = Client(at)
    await client.hello(**hello)
    return client
