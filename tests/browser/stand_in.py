"""A stand-in for the gateway: it speaks Parley Realtime v1 and the page's REST calls, scripted by a test.

It keeps sessions, seqs, acks and history as the real one does, and can be told to lose an ack, to stop in the middle
of a reply, to cut every socket or to refuse. The page cannot tell it from the gateway.
"""

import asyncio
import io
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn
from PIL import Image, UnidentifiedImageError
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from parley_gateway.web import page_routes
from tests.browser.a_trace import trace_of
from tests.browser.scenes import Frame, answer_to

MAX_UPLOAD = 5 * 1024 * 1024


@dataclass
class Session:
    """One conversation: its durable events, who answers, and the answers given to client_msg_ids."""

    id: str
    epoch: int = 1
    events: list[Frame] = field(default_factory=list)
    acks: dict[str, Frame] = field(default_factory=dict)
    sockets: dict[WebSocket, int] = field(default_factory=dict)  # each with the seq it has been told up to
    status: str = "open"
    agent: dict[str, str] | None = None
    draft: list[Frame] = field(default_factory=list)

    def since(self, seq: int) -> list[Frame]:
        """The events after `seq`."""
        return [event for event in self.events if event["event"]["seq"] > seq]


class StandIn:
    """The server and the strings that a test pulls."""

    def __init__(self) -> None:
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.received: list[Frame] = []  # every client frame, in order
        self.lose_acks = 0  # so many commits are not acknowledged
        self.lose_sends = 0  # so many messages never arrive
        self.refuse: list[Frame] = []  # errors for the next sends
        self.pause_after: int | None = None  # chunks of a reply before it waits for `resume`
        self.paused = asyncio.Event()
        self.resume = asyncio.Event()
        self.silent = False  # store and acknowledge, but answer nothing
        self.down = False
        self.frozen: set[WebSocket] = set()  # connections that are never answered, nor closed
        self.revoked: set[str] = set()
        self.upload_status = 0  # answer uploads with this status
        self.trace_status = 200
        self.uploads = asyncio.Event()
        self.uploads.set()
        self._pictures: dict[str, tuple[bytes, str]] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def session(self) -> Session:
        """The newest session."""
        return list(self.sessions.values())[-1]

    def frames(self, kind: str) -> list[Frame]:
        """The client frames of one kind."""
        return [frame[kind] for frame in self.received if kind in frame]

    # ---- what a test makes happen -------------------------------------------------------------------

    async def halfway(self) -> None:
        """Wait until a reply has come to `pause_after`."""
        await asyncio.wait_for(self.paused.wait(), 8)

    async def cut(self, code: int = 1012) -> None:
        """Close every socket of every session."""
        for session in self.sessions.values():
            sockets, session.sockets = session.sockets, {}
            for socket in sockets:
                await socket.close(code)

    async def system(self, notice: str, text: str = "") -> None:
        """Say something in the system's name."""
        message = {**self._message("system", text), "notice": notice, "origin": "system"}
        await self._store({"message": message})

    async def waiting(self, reason: str = "not_sure") -> None:
        """Begin to wait for a person."""
        await self.change("waiting", reason=reason)

    async def takeover(self, name: str) -> None:
        """A person joins."""
        await self.change("assigned", agent=name, reason="takeover")

    async def says(self, text: str, name: str, media: list[Frame] | None = None) -> None:
        """A person writes."""
        await self._store({"message": {**self._message("agent", text, name), "origin": "human", "media": media or []}})

    async def change(self, status: str, *, agent: str = "", reason: str = "", **facts: Any) -> None:
        """Change who answers."""
        session = self.session
        session.status = status
        session.agent = {"kind": "agent", "name": agent} if agent else None
        value: Frame = {"status": status, "reason": reason, **facts}
        await self._store({"session": {**value, "agent": session.agent} if session.agent else value})

    async def typing(self, name: str) -> None:
        """A person types."""
        await self._tell({"typing": {"stream": self.session.id, "sender": {"kind": "agent", "name": name}}})

    async def ping(self) -> None:
        """Tell where the stream stands."""
        session = self.session
        stream = {"id": session.id, "epoch": session.epoch, "head_seq": len(session.events)}
        await self._tell({"ping": {"streams": [stream]}})

    async def reply(self, text: str, **facts: Any) -> None:
        """Stream a reply and end it with the stored message."""
        session, pieces = self.session, _pieces(text)
        message_id = f"msg_{next(self._numbers)}"
        base = {"stream": session.id, "message_id": message_id}
        await self._preview({"message_begin": {**base, "origin": facts.get("origin", "")}})
        for index, delta in enumerate(pieces):
            await self._pause(index)
            # proto3 JSON may leave out zeros; the page has to fill them in.
            position = {"index": index} if index else {}
            await self._preview({"message_chunk": {**base, **position, "delta": delta}})
        await self._pause(len(pieces))
        await self.end(text, message_id=message_id, **facts)

    async def _pause(self, chunks: int) -> None:
        if chunks == self.pause_after:
            self.paused.set()
            await self.resume.wait()

    async def end(self, text: str, **facts: Any) -> None:
        """End a reply, streamed or not, with what is stored."""
        self.session.draft = []
        await self._store({"message_end": {**self._message("engine", text), "finish_reason": "stop", **facts}})

    # ---- protocol --------------------------------------------------------------------------------------

    async def realtime(self, socket: WebSocket) -> None:
        """One client at `/v1/rt`."""
        if self.down or "parley.v1.json" not in socket.scope["subprotocols"]:
            await socket.close(1013)
            return
        await socket.accept("parley.v1.json")
        session: Session | None = None
        try:
            hello = self._read(await socket.receive_text())["hello"]
            session = self._session_of(hello["token"])
            if session is None:
                await socket.close(4001)
                return
            await self._greet(socket, session, hello)
            while True:
                await self._frame(socket, session, self._read(await socket.receive_text()))
        except (WebSocketDisconnect, RuntimeError):  # RuntimeError: we closed it ourselves
            if session is not None:
                session.sockets.pop(socket, None)

    async def _greet(self, socket: WebSocket, session: Session, hello: Frame) -> None:
        position = next((p for p in hello["streams"] if p["id"] == session.id), {"epoch": 0, "after_seq": 0})
        head, after = len(session.events), position["after_seq"]
        recovered = position["epoch"] in {0, session.epoch} and 0 <= head - after <= 300
        stream = {"id": session.id, "epoch": session.epoch, "recovered": recovered, "head_seq": head}
        await _send(socket, {"welcome": {"session_id": session.id, "ping_s": 25, "streams": [stream]}})
        for event in session.since(after) if recovered else []:
            await _send(socket, event)
        session.sockets[socket] = head
        for chunk in _snapshot(session.draft):
            await _send(socket, chunk)

    async def _frame(self, socket: WebSocket, session: Session, frame: Frame) -> None:
        if socket in self.frozen:
            return
        if "send" in frame:
            await self._receive(socket, session, frame["send"])
        elif "ping" in frame:
            await _send(socket, {"pong": {"n": frame["ping"]["n"]}})

    async def _receive(self, socket: WebSocket, session: Session, send: Frame) -> None:
        if self.lose_sends:
            self.lose_sends -= 1
            return
        if self.refuse:
            await _send(socket, {"error": {**self.refuse.pop(0), "client_msg_id": send["client_msg_id"]}})
            return
        known = session.acks.get(send["client_msg_id"])
        ack = {**known, "duplicate": True} if known else await self._keep(socket, session, send)
        if self.lose_acks:
            self.lose_acks -= 1
        else:
            await _send(socket, {"ack": ack})

    async def _keep(self, socket: WebSocket, session: Session, send: Frame) -> Frame:
        """Commit once. As with the real gateway, who gets the ack is not told the event as well."""
        message = {**self._message("visitor", send["text"]), "client_msg_id": send["client_msg_id"]}
        message["media"] = [self._media(media_id) for media_id in send.get("media_ids", [])]
        seq = await self._store({"message": message}, session, skip=socket)
        facts = {"message_id": message["message_id"], "seq": seq, "duplicate": False, "trace_id": message["trace_id"]}
        ack = session.acks[send["client_msg_id"]] = {"client_msg_id": send["client_msg_id"], **facts}
        if not self.silent and session.status == "open":
            self._background(self._answer(send["text"]))
        return ack

    async def _answer(self, question: str) -> None:
        answer = answer_to(question)
        if answer is None:
            await self.system("not_sure")
            await self.waiting()
        else:
            await self.reply(answer[0], **answer[1])

    async def _store(self, body: Frame, session: Session | None = None, skip: WebSocket | None = None) -> int:
        session = session or self.session
        seq = len(session.events) + 1
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        session.events.append({"event": {"stream": session.id, "epoch": session.epoch, "seq": seq, "at": at, **body}})
        for socket, told in list(session.sockets.items()):
            if socket is not skip and seq > told:
                await _send(socket, session.events[-1])
            if socket in session.sockets:
                session.sockets[socket] = seq
        return seq

    async def _preview(self, frame: Frame) -> None:
        self.session.draft.append(frame)
        await self._tell(frame)

    async def _tell(self, frame: Frame) -> None:
        for socket in list(self.session.sockets):
            await _send(socket, frame)

    def _message(self, kind: str, text: str, name: str = "") -> Frame:
        n = next(self._numbers)
        return {"message_id": f"msg_{n}", "text": text, "sender": {"kind": kind, "name": name}, "trace_id": f"{n:032x}"}

    def _media(self, media_id: str) -> Frame:
        content, mime_type = self._pictures[media_id]
        with Image.open(io.BytesIO(content)) as image:
            size = {"width": image.width, "height": image.height, "size": len(content)}
        return {"media_id": media_id, "mime_type": mime_type, "url": f"/v1/media/demo/{media_id}", **size}

    def _read(self, text: str) -> Frame:
        frame: Frame = json.loads(text)
        self.received.append(frame)
        return frame

    def _session_of(self, token: str) -> Session | None:
        return None if token in self.revoked else self.sessions.get(token.rsplit(".", 1)[0])

    def _background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- REST ---------------------------------------------------------------------------------------------

    async def visitor_tokens(self, request: Request) -> Response:
        """A token for a new session, or for the one of a returning visitor."""
        if self.down:
            return _envelope(503, None, "the desk does not answer; try again")
        body = await request.json()
        old = body.get("returning", "").rsplit(".", 1)[0]
        session = self.sessions.get(old) or Session(f"ses_{next(self._numbers)}")
        self.sessions[session.id] = session
        token = f"{session.id}.{next(self._numbers)}"
        return _envelope(200, {"token": token, "session_id": session.id, "expires_at": "2099-01-01T00:00:00Z"})

    async def messages(self, request: Request) -> Response:
        """History by cursor."""
        session = self._bearer(request)
        if session is None:
            return _envelope(401, None, "this token is not valid any more")
        after, limit = int(request.query_params["after_seq"]), int(request.query_params["limit"])
        page = session.since(after)[:limit]
        return _envelope(200, {"epoch": session.epoch, "head_seq": len(session.events), "events": page})

    async def upload(self, request: Request) -> Response:
        """Store a picture, or say why not."""
        await self.uploads.wait()
        if self._bearer(request) is None:
            return _envelope(401, None, "this token is not valid any more")
        if self.upload_status:
            return _envelope(self.upload_status, None, "refused as the test wishes")
        file = (await request.form())["file"]
        assert isinstance(file, UploadFile)
        content = await file.read()
        if len(content) > MAX_UPLOAD:
            return _envelope(413, None, "the picture is larger than 5 MB")
        try:
            Image.open(io.BytesIO(content)).verify()
        except UnidentifiedImageError:
            return _envelope(415, None, "this is not a picture")
        media_id = f"med_{next(self._numbers)}"
        self._pictures[media_id] = (content, file.content_type or "image/png")
        return _envelope(201, self._media(media_id))

    async def media(self, request: Request) -> Response:
        """A stored picture."""
        content, mime_type = self._pictures[request.path_params["media_id"]]
        return Response(content, media_type=mime_type)

    async def traces(self, request: Request) -> Response:
        """The spans of a trace."""
        if self.trace_status != 200:
            return _envelope(self.trace_status, None, "no")
        trace_id = request.path_params["trace_id"]
        return _envelope(200, {"trace_id": trace_id, "spans": trace_of(trace_id)})

    def _bearer(self, request: Request) -> Session | None:
        return self._session_of(request.headers.get("authorization", "").removeprefix("Bearer "))

    def add_picture(self, content: bytes, mime_type: str = "image/png") -> Frame:
        """A picture that somebody else has uploaded."""
        media_id = f"med_{next(self._numbers)}"
        self._pictures[media_id] = (content, mime_type)
        return self._media(media_id)

    def app(self) -> Starlette:
        """The whole server."""
        return Starlette(
            routes=[
                *page_routes(),
                WebSocketRoute("/v1/rt", self.realtime),
                Route("/v1/visitor-tokens", self.visitor_tokens, methods=["POST"]),
                Route("/v1/sessions/{session_id}/messages", self.messages),
                Route("/v1/media", self.upload, methods=["POST"]),
                Route("/v1/media/demo/{media_id}", self.media),
                Route("/v1/traces/{trace_id}", self.traces),
            ]
        )


@asynccontextmanager
async def serving(stand_in: StandIn, port: int = 0) -> AsyncIterator[StandIn]:
    """Serve it on a free port of this machine."""
    config = uvicorn.Config(stand_in.app(), host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())  # without uvicorn's own signal handlers
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for it
            await asyncio.sleep(0)
        stand_in.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
        yield stand_in
    finally:
        stand_in.resume.set()
        stand_in.uploads.set()
        server.should_exit = True
        await task


async def _send(socket: WebSocket, frame: Frame) -> None:
    try:
        await socket.send_text(json.dumps(frame, ensure_ascii=False))
    except (WebSocketDisconnect, RuntimeError):
        return  # the client is gone; its next connection resumes


def _envelope(status: int, data: Any, message: str = "ok") -> Response:
    return JSONResponse({"code": status, "data": data, "message": message, "trace_id": "0" * 32}, status)


def _pieces(text: str) -> list[str]:
    return [text[at : at + 12] for at in range(0, len(text), 12)]


def _snapshot(draft: list[Frame]) -> list[Frame]:
    """What a client that joins in mid-reply is told: one chunk with the text so far."""
    chunks = [frame["message_chunk"] for frame in draft if "message_chunk" in frame]
    if not chunks:
        return []
    text = "".join(chunk["delta"] for chunk in chunks)
    return [draft[0], {"message_chunk": {**chunks[-1], "delta": text, "snapshot": True}}]


async def _main() -> None:
    async with serving(StandIn(), port=8099) as server:
        print(f"The page with a stand-in behind it: {server.url}  (Ctrl-C ends it)")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
