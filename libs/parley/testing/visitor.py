"""A scripted visitor over WebSocket with an outbox, resume and jittered backoff: what a good client does."""

import asyncio
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

from parley.core import new_id
from parley.testing.ledger import Ledger, Seen, Sent
from parley.testing.ledger_checks import is_answer

RESEND_AFTER = 5.0
PROBE_SECONDS = 3.0  # for a sign of life from a server that leaves messages unacknowledged
PROTOCOL = Subprotocol("parley.v1.json")
UNAVAILABLE = 503


@dataclass
class Visitor:
    """One visitor of one session. `address` gives host:port afresh for every attempt, as a load balancer would."""

    address: Callable[[], str]
    ledger: Ledger
    token: str = ""
    session: str = ""
    epoch: int = 0
    seen: int = 0
    number: int = 0
    reloads: int = 0
    torn: list[str] = field(default_factory=list)  # previews with a missing or repeated piece, or another text at last
    errors: list[str] = field(default_factory=list)  # codes; what was refused stays in the outbox and is sent again
    closings: list[int] = field(default_factory=list)  # the close codes that it was sent away with
    traces: list[str] = field(default_factory=list)
    _previews: dict[str, tuple[int, str]] = field(default_factory=dict)
    _outbox: dict[str, tuple[str, float]] = field(default_factory=dict)
    _socket: ClientConnection | None = None
    _probing: "asyncio.Task[None] | None" = None
    _done: asyncio.Event = field(default_factory=asyncio.Event)

    async def live(self) -> None:
        """Stay connected until `stop`; every cut is answered by coming back and resuming."""
        pause = 0.1
        while not self._done.is_set():
            try:
                async with connect(f"ws://{self.address()}/v1/rt", subprotocols=[PROTOCOL], compression=None) as socket:
                    await self._greet(socket)
                    pause = 0.1
                    await self._listen(socket)
                    self.closings.append(socket.close_code or 0)
            except (OSError, WebSocketException, InvalidHandshake, TimeoutError, KeyError, ValueError):
                pass
            self._socket = None
            if not self._done.is_set():
                await asyncio.sleep(random.uniform(0.5, 1) * pause)  # noqa: S311 - jitter
                pause = min(2.0, pause * 2)

    async def say(self, text: str) -> str:
        """Send a message; it stays in the outbox until it is acknowledged."""
        self.number += 1
        client_msg_id = new_id("c")
        self.ledger.wrote(Sent(self.session, self.number, client_msg_id, self.ledger.clock()))
        self._outbox[client_msg_id] = (text, self.ledger.clock())
        await self._transmit(client_msg_id)
        return client_msg_id

    async def resend_stale(self) -> None:
        """Send again what nobody has acknowledged for a while, and ask whether the other end still lives."""
        now = self.ledger.clock()
        stale = {name: text for name, (text, since) in self._outbox.items() if now - since > RESEND_AFTER}
        if stale and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._probe())
        for client_msg_id, text in stale.items():
            self._outbox[client_msg_id] = (text, now)
            await self._transmit(client_msg_id)

    @property
    def unacked(self) -> int:
        """Messages that wait for their ack."""
        return len(self._outbox)

    @property
    def answers(self) -> int:
        """Final answers that it has seen."""
        return sum(map(is_answer, self.ledger.seen.get(self.session, ())))

    @property
    def drafts(self) -> int:
        """Answers whose beginning it sees."""
        return len(self._previews)

    async def until(self, fact: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait for a fact, sending again meanwhile what nobody has acknowledged. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not fact():
                await self.resend_stale()
                await asyncio.sleep(0.02)

    @property
    def connected(self) -> bool:
        """Whether it has been welcomed."""
        return self._socket is not None

    def cut(self) -> None:
        """Lose the connection without a goodbye; `live` comes back by itself."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def stop(self) -> None:
        """Leave for good."""
        self._done.set()
        if self._socket is not None:
            await self._socket.close()

    async def _greet(self, socket: ClientConnection) -> None:
        hello: dict[str, Any] = {"client": "parley-testing/1", "name": "测试访客", "locale": "zh-CN"}
        if self.token:
            position = {"id": self.session, "epoch": self.epoch, "after_seq": self.seen}
            hello |= {"token": self.token, "streams": [position]}
        else:
            hello["site_key"] = "demo"
        await socket.send(json.dumps({"hello": hello}))
        async with asyncio.timeout(10):
            welcome = json.loads(await socket.recv())["welcome"]
        self.token = welcome.get("token") or self.token
        self.session = welcome["session_id"]
        stream = welcome["streams"][0]
        self.epoch = stream["epoch"]
        if not stream["recovered"]:
            self.reloads += 1
        self._socket = socket
        for client_msg_id in list(self._outbox):
            await self._transmit(client_msg_id)

    async def _listen(self, socket: ClientConnection) -> None:
        async for raw in socket:
            frame = json.loads(raw)
            if "ack" in frame:
                self._acked(frame["ack"])
            elif "event" in frame:
                self._saw(frame["event"])
            elif "message_chunk" in frame:
                self._previewed(frame["message_chunk"])
            elif "error" in frame:
                self.errors.append(frame["error"]["code"])
            elif "ping" in frame:
                await socket.send(b'{"ping":{"n":1}}'.decode())

    def _acked(self, ack: dict[str, Any]) -> None:
        if ack["client_msg_id"] in self._outbox:
            del self._outbox[ack["client_msg_id"]]
        self.traces.append(ack.get("trace_id", ""))
        self.ledger.acked(ack["client_msg_id"], ack["seq"], self.ledger.clock())
        if ack["seq"] == self.seen + 1:
            self.seen = ack["seq"]

    def _saw(self, event: dict[str, Any]) -> None:
        self.ledger.saw(self.session, seen_of(event, self.ledger.clock()))
        self.seen = max(self.seen, event["seq"])
        said = event.get("message_end", {})
        shown = self._previews.pop(said.get("message_id", ""), None)
        if shown is not None and said.get("finish_reason") != "cancelled" and shown[1] != said["text"]:
            self.torn.append(f"{said['message_id']} was previewed as {shown[1]!r} and stored as {said['text']!r}")

    def _previewed(self, chunk: dict[str, Any]) -> None:
        """A piece of a preview: the next one, or a snapshot of all so far."""
        index, text = chunk.get("index", 0), chunk.get("delta", "")
        before = self._previews.get(chunk["message_id"], (-1, ""))
        if not chunk.get("snapshot"):
            if index != before[0] + 1:
                self.torn.append(f"{chunk['message_id']}: piece {index} after {before[0]}")
            text = before[1] + text
        self._previews[chunk["message_id"]] = (index, text)

    async def _probe(self) -> None:
        """Leave a connection whose other end is frozen: nothing would ever close it."""
        socket = self._socket
        if socket is None:
            return
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await (await socket.ping())
        except TimeoutError:
            socket.transport.abort()
        except WebSocketException:
            pass  # it is closed already

    async def _transmit(self, client_msg_id: str) -> None:
        if self._socket is None:
            return
        text, _ = self._outbox[client_msg_id]
        try:
            await self._socket.send(json.dumps({"send": {"client_msg_id": client_msg_id, "text": text}}))
        except WebSocketException:
            self._socket = None


def seen_of(event: dict[str, Any], at: float) -> Seen:
    """An event frame as the ledger keeps it."""
    kind = next((k for k in ("message", "message_end", "session") if k in event), "unknown")
    message = event.get("message") or event.get("message_end") or {}
    client_msg_id = message.get("client_msg_id", "") if kind == "message" else ""
    turn_id = message.get("turn_id", "")
    finish = event["session"].get("status", "") if kind == "session" else message.get("finish_reason", "")
    return Seen(event["seq"], kind, message.get("message_id", ""), client_msg_id, turn_id, at, finish)


async def read_history(base_url: str, visitor: Visitor, *, patience: float = 30.0) -> list[Seen]:
    """The store's own account of a visitor's session; a 503 is asked again for `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return await asyncio.to_thread(_read_history, base_url, visitor.token, visitor.session)
        except urllib.error.HTTPError as error:
            if error.code != UNAVAILABLE or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)


def _read_history(base_url: str, token: str, session: str) -> list[Seen]:
    found: list[Seen] = []
    after: int | None = 0
    while after is not None:
        request = urllib.request.Request(  # noqa: S310 - a loopback address of the test's own
            f"{base_url}/v1/sessions/{session}/messages?after_seq={after}&limit=300",
            headers={"authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - as above
            page = json.load(response)["data"]
        found += [seen_of(event, 0.0) for event in page["events"]]
        after = page["next"]
    return found
