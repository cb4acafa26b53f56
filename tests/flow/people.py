"""Who comes to the desk in flow tests: visitors on either protocol, channels, agents, and a model that waits."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, cast

from google.protobuf import json_format
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from parley.contracts.v1 import AccessStub, ClientFrame, CreateKeyRequest, RevokeKeyRequest, ServerFrame
from parley.core import new_id
from parley.service.grpc import connect as connect_grpc
from tests.flow.house import Client, House, a_client

ZH, EN, UNKNOWN = "退款多久到账？", "How long does a refund take?", "火星上有多少只企鹅？"


def token(house: House, *, headers: dict[str, str] | None = None, **body: Any) -> dict[str, str]:
    """A visitor token, as a page asks for it."""
    asked = {"site_key": "demo", **body}
    status, answer, _ = house.call("POST", "/v1/visitor-tokens", asked, headers=headers or {})
    assert status == 201, answer
    return cast(dict[str, str], answer["data"])


def position(session: str, after: int, epoch: int = 1) -> list[dict[str, Any]]:
    """What a client says it has."""
    return [{"id": session, "epoch": epoch, "after_seq": after}]


def ids(client: Client) -> tuple[str, str]:
    """Session and token of a client that began with a site key."""
    welcome = client.frames[0]["welcome"]
    return welcome["session_id"], welcome["token"]


def seqs(client: Client) -> list[int]:
    """The durable events that a client was told, in order."""
    return [frame["event"]["seq"] for frame in client.frames if "event" in frame]


async def answered(client: Client, text: str, **fields: Any) -> dict[str, Any]:
    """Ask, and wait for the end of the reply."""
    await client.say(text, new_id("c"))
    return await client.until("event.message_end", **fields)


async def nothing_more(client: Client) -> None:
    """Everything that was meant for this client has arrived: a pong follows whatever was queued before."""
    await client.send({"ping": {"n": 99}})
    await client.until("pong", n=99)


@asynccontextmanager
async def raw(house: House, *protocols: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """A socket that has not said hello."""
    offered = [Subprotocol(protocol) for protocol in protocols] or None
    async with connect(f"ws://127.0.0.1:{house.port}/v1/rt", subprotocols=offered, **options) as socket:
        yield socket


class ProtobufClient(Client):
    """The same client over `parley.v1.pb`; frames are kept as the JSON mapping of what came."""

    async def send(self, frame: dict[str, Any]) -> None:
        await self.socket.send(json_format.ParseDict(frame, ClientFrame()).SerializeToString())

    async def until(self, kind: str, *, seconds: float = 10, **fields: Any) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while True:
                came = ServerFrame.FromString(cast(bytes, await self.socket.recv()))
                frame: Any = json_format.MessageToDict(came, preserving_proto_field_name=True)
                self.frames.append(frame)
                value = frame
                for part in kind.split("."):
                    value = value.get(part) if isinstance(value, dict) else None
                if value is not None and all(value.get(k) == v for k, v in fields.items()):
                    return dict(value)


@asynccontextmanager
async def a_visitor(house: House, hello: dict[str, Any] | None = None, **options: Any) -> AsyncIterator[Client]:
    """A greeted client that leaves at the end."""
    client = await a_client(house, hello, **options)
    async with client.socket:
        yield client


async def make_key(house: House, *scopes: str, tenant: str = "demo", name: str = "李娜") -> tuple[str, str]:
    """An API key: its id and its secret."""
    async with connect_grpc(f"unix:{house.home}/run/session-router.sock") as channel:
        made = await AccessStub(channel).CreateKey(
            CreateKeyRequest(tenant_id=tenant, name=name, scopes=scopes), timeout=5
        )
        return made.key.key_id, made.secret


async def revoke_key(house: House, key_id: str) -> None:
    """From now on it is refused."""
    async with connect_grpc(f"unix:{house.home}/run/session-router.sock") as channel:
        await AccessStub(channel).RevokeKey(RevokeKeyRequest(tenant_id="demo", key_id=key_id), timeout=5)


def a_picture(size: tuple[int, int] = (40, 30)) -> bytes:
    """A png that decodes."""
    buffer = BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def a_form(content: bytes, name: str = "杯子.png", kind: str = "image/png", field_name: str = "file") -> Any:
    """A multipart body and its headers."""
    head = (
        f'--b\r\nContent-Disposition: form-data; name="{field_name}"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    )
    body = head.encode() + content + b"\r\n--b--\r\n"
    return {"data": body, "headers": {"content-type": "multipart/form-data; boundary=b"}}


# ---- a model that answers when it is told to ---------------------------------------------------------------


@dataclass
class SlowModel:
    """Speaks OpenAI's chat completions: says its first piece at once, the rest when it is let go."""

    port: int = 0
    asked: list[Any] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)
    first: str = "退款会"
    rest: str = "原路退回。"


@contextmanager
def a_slow_model() -> Iterator[SlowModel]:
    """Until the context is left."""
    model = SlowModel()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            model.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            try:
                self._say(model.first)
                model.let_go.wait(20)
                self._say(model.rest)
                self._say("", finish="stop")
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                pass  # the engine has hung up

        def _say(self, text: str, finish: str | None = None) -> None:
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "slow", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    model.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield model
    finally:
        model.let_go.set()
        server.shutdown()


def with_model(model: SlowModel) -> dict[str, str]:
    """The environment of a house that asks this model."""
    return {"PARLEY_LLM_URL": f"http://127.0.0.1:{model.port}/v1", "PARLEY_LLM_MODEL": "slow"}
