"""Four ways to the same frames. A line is one connection: it says hello, yields frames, and ends."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol

import httpx
import socketio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

Frame = dict[str, Any]
HELLO_SECONDS, SILENCE_SECONDS = 10.0, 80.0
PASSING = {408, 425, 429, 500, 502, 503, 504}


class Away(Exception):
    """The connection has ended; come back after `retry_after` seconds at the earliest."""

    def __init__(self, why: str = "", retry_after: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Refused(Exception):
    """Coming back like this would be in vain."""


class Line(Protocol):
    """One connection."""

    def frames(self, hello: Frame) -> AsyncIterator[Frame]:
        """Say hello and yield what comes, the welcome first. Raises Away at its end, Refused for good."""
        ...

    async def send(self, frame: Frame) -> None:
        """Say something. Raises Away."""
        ...


class WebSocketLine:
    """`url` is like ws://host/v1/rt."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._socket: ClientConnection | None = None

    async def frames(self, hello: Frame) -> AsyncIterator[Frame]:
        """See Line."""
        try:
            options: dict[str, Any] = {"subprotocols": [Subprotocol("parley.v1.json")], "compression": None}
            async with connect(self._url, **options, open_timeout=HELLO_SECONDS) as self._socket:
                await self._socket.send(json.dumps({"hello": hello}))
                while True:
                    async with asyncio.timeout(SILENCE_SECONDS):
                        yield json.loads(await self._socket.recv())
        except InvalidStatus as error:
            raise (Away if error.response.status_code in PASSING else Refused)(str(error)) from None
        except (OSError, TimeoutError, WebSocketException):
            code = self._socket.close_code if self._socket is not None else None
            if code is not None and (code == 1002 or 4000 <= code < 4100):
                raise Refused(f"closed with {code}") from None
            raise Away(f"closed with {code}") from None

    async def send(self, frame: Frame) -> None:
        """See Line."""
        try:
            assert self._socket is not None
            await self._socket.send(json.dumps(frame))
        except WebSocketException as error:
            raise Away(str(error)) from None


class SocketIoLine:
    """python-socketio, with its own reconnecting off: ours keeps the position."""

    def __init__(self, url: str, namespace: str = "/visitor") -> None:
        self._url = url
        self._namespace = namespace
        self._sio = socketio.AsyncClient(reconnection=False)
        self._came: asyncio.Queue[Frame | None] = asyncio.Queue(1000)
        self._refused: Frame = {}

    async def frames(self, hello: Frame) -> AsyncIterator[Frame]:
        """See Line."""
        self._sio.on("*", lambda kind, value: self._came.put_nowait({kind: value}), namespace=self._namespace)
        self._sio.on("disconnect", lambda *_: self._came.put_nowait(None), namespace=self._namespace)
        self._sio.on("connect_error", self._not_let_in, namespace=self._namespace)
        try:
            await self._sio.connect(self._url, auth=hello, namespaces=[self._namespace], wait_timeout=HELLO_SECONDS)
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    frame = await self._came.get()
                if frame is None:
                    raise Away
                yield frame
                if 4000 <= frame.get("bye", {}).get("code", 0) < 4100:
                    raise Refused(frame["bye"]["reason"])
        except socketio.exceptions.ConnectionError as error:
            if 4000 <= self._refused.get("close_code", 0) < 4100:
                raise Refused(str(error)) from None
            raise Away(str(error), self._refused.get("retry_after_ms", 0) / 1000) from None
        except TimeoutError:
            raise Away("silent for too long") from None
        finally:
            await self._sio.disconnect()

    async def send(self, frame: Frame) -> None:
        """See Line."""
        (kind, value), *_ = frame.items()
        try:
            await self._sio.emit(kind, value, namespace=self._namespace)
        except socketio.exceptions.SocketIOError as error:
            raise Away(str(error)) from None

    def _not_let_in(self, told: Any) -> None:
        self._refused = told.get("data", {}) if isinstance(told, dict) else {}


class _HttpLine:
    """What both HTTP transports share."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=40)
        self._headers: dict[str, str] = {}
        self._acks: asyncio.Queue[Frame] = asyncio.Queue(1000)

    async def send(self, frame: Frame) -> None:
        """See Line. What answers it is yielded with the other frames."""
        if "pong" in frame:
            return
        try:
            told = await self._asked("POST", "/v1/rt/send", json=frame)
        except Refused as error:
            told = {"error": {"code": "refused", "message": str(error), **_id_of(frame)}}
        if told:
            self._acks.put_nowait(told)

    async def _asked(self, method: str, path: str, **given: Any) -> Frame:
        try:
            answer = await self._http.request(method, path, headers=self._headers, **given)
        except httpx.HTTPError as error:
            raise Away(str(error)) from None
        if answer.is_success:
            return dict(answer.json()["data"])
        if answer.status_code in PASSING:
            raise Away(answer.text[:200], float(answer.headers.get("retry-after", 0)))
        raise Refused(answer.text[:200])

    async def _greeted(self, hello: Frame) -> Frame:
        told = await self._asked("POST", "/v1/rt/hello", json={"hello": hello})
        token = told["frames"][0]["welcome"].get("token") or hello.get("token", "")
        self._headers = {"authorization": f"Bearer {token}"}
        return told

    def _heard(self) -> list[Frame]:
        return [self._acks.get_nowait() for _ in range(self._acks.qsize())]


class PollLine(_HttpLine):
    """Long polling: any replica answers any request."""

    async def frames(self, hello: Frame) -> AsyncIterator[Frame]:
        """See Line."""
        async with self._http:
            told = await self._greeted(hello)
            while True:
                for frame in [*told["frames"], *self._heard()]:
                    yield frame
                if told["retry_ms"]:
                    raise Away("the server restarts", told["retry_ms"] / 1000)
                params = {"cursor": told["cursor"], "timeout": 5}
                told = await self._asked("GET", "/v1/rt/poll", params=params)


class EventsLine(_HttpLine):
    """Server-sent events, with what is said by POST."""

    async def frames(self, hello: Frame) -> AsyncIterator[Frame]:
        """See Line."""
        async with self._http:
            told = await self._greeted(hello)
            welcome = told["frames"][0]["welcome"]["streams"][0]
            place = next((f["event"] for f in reversed(told["frames"]) if "event" in f), None)
            seq = place["seq"] if place else welcome["head_seq"]
            for frame in told["frames"]:
                yield frame
            path = f"/v1/rt/stream?position={welcome['epoch']}:{seq}"
            async with contextlib.aclosing(self._listened(path)) as heard:
                async for frame in heard:
                    yield frame

    async def _listened(self, path: str) -> AsyncGenerator[Frame, None]:
        try:
            async with self._http.stream("GET", path, headers=self._headers) as answer:
                if answer.status_code != 200:
                    raise Away(f"{answer.status_code}")
                lines = answer.aiter_lines()
                reading = asyncio.ensure_future(anext(lines))
                acks = asyncio.ensure_future(self._acks.get())
                try:
                    while True:
                        first = asyncio.FIRST_COMPLETED
                        done, _ = await asyncio.wait({reading, acks}, return_when=first, timeout=SILENCE_SECONDS)
                        if not done:
                            raise Away("silent for too long")
                        if acks.done():
                            yield acks.result()
                            acks = asyncio.ensure_future(self._acks.get())
                        if reading.done():
                            line = reading.result()
                            reading = asyncio.ensure_future(anext(lines))
                            frame = json.loads(line[6:]) if line.startswith("data: ") else {}
                            if frame and "welcome" not in frame:
                                yield frame
                finally:
                    reading.cancel()
                    acks.cancel()
        except (httpx.HTTPError, StopAsyncIteration) as error:
            raise Away(str(error)) from None


def _id_of(frame: Frame) -> Frame:
    return {"client_msg_id": frame["send"]["client_msg_id"]} if "send" in frame else {}
