"""One visitor's connection, whatever carries it: who it is, what it says, and how it ends.

The transport gives frames to `receive` and writes what `view.outgoing` holds; nothing here knows of sockets.
"""

from collections.abc import Callable
from dataclasses import dataclass

from parley.contracts.v1 import (
    ClientFrame,
    Hello,
    HistoryResponse,
    MessagesRead,
    Sender,
    SenderKind,
    StopRequested,
    StreamAttached,
    StreamDetached,
    StreamPosition,
    VisitorTyping,
)
from parley.core import Invalid
from parley.telemetry import counter, names
from parley_gateway.access import is_own, kid_of
from parley_gateway.asking import Forbidden, RateLimited, Unauthorised
from parley_gateway.desk import Desk
from parley_gateway.door import Knock
from parley_gateway.limits import Bucket
from parley_gateway.realtime import closing
from parley_gateway.realtime.frames import Encoder, Frame
from parley_gateway.realtime.sending import Sending
from parley_gateway.realtime.streams import SessionKey
from parley_gateway.realtime.view import View

NAME_CHARS, LOCALE_CHARS = 80, 35
FRAMES_PER_MESSAGE = 10  # frames of any kind that a client may send for each message that it may send
CROWDED_SECONDS = 30.0  # until a visitor with too many connections may try again

_in = {kind: counter(names.FRAMES_IN, kind) for kind in ("hello", "send", "typing", "read", "stop", "ping", "pong")}


@dataclass(frozen=True, slots=True)
class _Visitor:
    """Who said hello."""

    key: SessionKey
    expires_at: float
    issued: Frame  # what the welcome says of a token that was made just now
    kid: str  # the key that its token was signed with
    fresh: bool  # the session begins with this connection


class Connection:
    """One client. `wake` is called when something waits to be written, `close` asks the transport to close."""

    def __init__(
        self,
        desk: Desk,
        encode: Encoder,
        wake: Callable[[], None],
        close: Callable[[int, str], None],
        show: type[View] = View,
    ) -> None:
        self._desk = desk
        self._close = close
        self._visitor: _Visitor | None = None
        self._sending: Sending | None = None
        self.recovered = False  # whether the client was told everything after its position
        self.silent_since = desk.ctx.clock.monotonic()
        rate, burst = desk.settings.messages_per_second, desk.settings.messages_burst
        self._frames = Bucket(rate * FRAMES_PER_MESSAGE, burst * FRAMES_PER_MESSAGE, self.silent_since)
        self.view = show(desk, encode, wake, close)

    async def greet(self, hello: Hello, knock: Knock) -> None:
        """Verify, begin to show the session, replay what was missed.

        Raises Unauthorised, Forbidden, RateLimited, Unavailable.
        """
        _in["hello"].inc()
        visitor = await self._identify(hello, knock)
        self._join(visitor)
        position = _position(hello, visitor.key[1])
        history = HistoryResponse(epoch=1) if visitor.fresh else await self.view.read(visitor.key, position.after_seq)
        self.recovered = recovered = _recovered(position, history)
        stream = {"id": visitor.key[1], "epoch": history.epoch, "recovered": recovered, "head_seq": history.head_seq}
        welcome = {"session_id": visitor.key[1], "ping_s": self._desk.settings.ping_seconds, "streams": [stream]}
        self.view.push("welcome", {"welcome": {**welcome, **visitor.issued}})
        self.view.begin(visitor.key, history, replay=recovered)
        self._sending = Sending(self._desk, self.view, visitor.key, sender_of(visitor.key, hello.name, hello.locale))

    @property
    def greeted(self) -> bool:
        """Whether it has joined its session."""
        return self._visitor is not None

    @property
    def key(self) -> SessionKey:
        """Whose session it shows, once it was greeted."""
        assert self._visitor is not None
        return self._visitor.key

    def receive(self, frame: ClientFrame) -> None:
        """Any frame after the greeting. Never raises: what is wrong is said to the client."""
        assert self._sending is not None
        if not self._admits():
            return
        kind = frame.WhichOneof("frame")
        if kind is None:
            self.view.refuse("bad_frame", "this frame is empty or of a kind that this server does not know")
            return
        _in[kind].inc()
        if kind == "send":
            self._sending.send(frame.send)
        elif kind == "ping":
            self.view.push("pong", {"pong": {"n": frame.ping.n}})
        elif kind == "hello":
            self.view.refuse("bad_frame", "hello was said already; open a new connection to change who you are")
        elif kind in ("typing", "stop", "read"):
            assert self._visitor is not None
            signal(self._desk, self._visitor.key, frame)

    def refuse(self, error: Invalid) -> None:
        """A frame that could not be read."""
        if self._admits():
            self.view.refuse("bad_frame", str(error))

    def check(self, silent_for: float) -> None:
        """From time to time: a ping, or the end of a client that is silent or whose token has expired."""
        if self._visitor is not None and self._expired():
            return
        if self._desk.ctx.clock.monotonic() - self.silent_since > silent_for:
            self._close(closing.LOST, "silent for too long; come back")
        else:
            self.view.ping()

    def check_token(self) -> None:
        """A signing key was revoked: close at once whoever came in by it."""
        if self.greeted:
            self._expired()

    def leave(self) -> None:
        """The client is gone."""
        self.view.leave()
        if self._sending is not None:
            self._sending.leave()
        if self._visitor is not None and self._desk.streams.leave(self._visitor.key, self.view):
            self._desk.inbox.tell(StreamDetached(gateway_id=self._desk.ctx.replica), *self._visitor.key)

    # ---- who it is ------------------------------------------------------------------------------------

    async def _identify(self, hello: Hello, knock: Knock) -> _Visitor:
        if hello.token:
            token = await self._desk.access.visitor(hello.token)
            configured = self._desk.settings.allowed_origins()
            if not is_own(knock.origin, knock.host, configured):
                await self._check_origin(knock.origin, token.tenant)
            return _Visitor((token.tenant, token.session), token.expires_at, {}, token.kid, fresh=False)
        if not hello.site_key:
            raise Unauthorised("hello needs a token, or a site_key to begin with")
        self._desk.newcomers.check(knock.address, self._desk.ctx.clock.monotonic(), "too many visitors from here; wait")
        try:
            issued = await self._desk.access.issue(hello.site_key, "", knock.origin)
        except Invalid as error:
            raise Unauthorised(str(error)) from None
        told: Frame = {"token": issued.token, "expires_at": issued.expires_at.ToJsonString()}
        return _Visitor(
            (issued.tenant_id, issued.session_id), issued.expires_at.seconds, told, kid_of(issued.token), fresh=True
        )

    async def _check_origin(self, origin: str, tenant: str) -> None:
        if not await self._desk.access.origin_allowed(origin, tenant):
            raise Forbidden("pages of this origin may not use this conversation")

    def _join(self, visitor: _Visitor) -> None:
        """Begin to be told. A session that begins here needs no word to the router: its first message says it."""
        streams, key = self._desk.streams, visitor.key
        if streams.viewers(key) >= self._desk.settings.session_connections:
            raise RateLimited("this conversation is open too often; close a tab", retry_after=CROWDED_SECONDS)
        self._visitor = visitor
        streams.join(key, self.view)
        if not visitor.fresh:
            attach(self._desk, key)

    # ---- what it says ---------------------------------------------------------------------------------

    def _admits(self) -> bool:
        """Whether this client may go on: its token still holds, and it is not flooding us."""
        now = self._desk.ctx.clock.monotonic()
        self.silent_since = now
        if self._expired():
            return False
        if wait := self._frames.take(now):
            self.view.bye(closing.BUSY, "too many frames", retry_after=max(1.0, wait))
            self._close(closing.BUSY, "too many frames; wait before you come back")
            return False
        return True

    def _expired(self) -> bool:
        if self._visitor is None:
            return False
        revoked = self._desk.access.revoked(self._visitor.kid)
        if not revoked and self._desk.ctx.clock.now() < self._visitor.expires_at:
            return False
        reason = f"the token {'was revoked' if revoked else 'has expired'}; come back with a new one"
        self.view.refuse("unauthorised", reason)
        self._close(closing.UNAUTHORISED, reason)
        return True


def signal(desk: Desk, key: SessionKey, frame: ClientFrame) -> None:
    """A passing signal of a visitor: stop, typing, read. Those that come too fast are not worth an answer."""
    kind = frame.WhichOneof("frame")
    if desk.rates.take(f"{kind}:{key}", desk.ctx.clock.monotonic()):
        return
    if kind == "stop":
        desk.inbox.tell(StopRequested(message_id=frame.stop.message_id), *key)
    elif kind == "typing":
        desk.inbox.tell(VisitorTyping(gateway_id=desk.ctx.replica), *key)
    elif kind == "read":
        reader = Sender(kind=SenderKind.SENDER_KIND_VISITOR, id=key[1])
        desk.inbox.tell(MessagesRead(read_seq=frame.read.seq, reader=reader), *key)


def attach(desk: Desk, key: SessionKey) -> None:
    """Tell the router that this session is shown here, unless it knows."""
    told = StreamAttached(gateway_id=desk.ctx.replica)
    if desk.streams.needs_attaching(key) and desk.inbox.tell(told, *key):
        desk.streams.attached(key)


def _position(hello: Hello, session: str) -> StreamPosition:
    """What the client says it has; nothing by default."""
    return next((position for position in hello.streams if position.id in ("", session)), StreamPosition())


def _recovered(position: StreamPosition, history: HistoryResponse) -> bool:
    """Whether everything after the client's position can be told, which needs the position to be one of this epoch."""
    same_epoch = position.epoch == history.epoch or (position.epoch == 0 and position.after_seq == 0)
    missing = history.head_seq - position.after_seq
    return same_epoch and missing == len(history.events)


def sender_of(key: SessionKey, name: str, locale: str) -> Sender:
    """A visitor as others may be shown it."""
    shown = _shown(name, NAME_CHARS), _shown(locale, LOCALE_CHARS)
    return Sender(kind=SenderKind.SENDER_KIND_VISITOR, id=key[1], name=shown[0], locale=shown[1])


def _shown(text: str, most: int) -> str:
    """A name or language as others may be shown it: one line, nothing invisible."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:most]
