"""Who comes to the desk in tests that look at single frames: raw sockets, tokens, requests."""

import asyncio
import contextlib
import http.client
import json
import secrets
import socket
import urllib.error
import urllib.request
from typing import Any, cast

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.faults.desk import Desk
from tests.flow.house import Client

PROTOCOLS = [Subprotocol("parley.v1.json")]


async def greeted(desk: Desk, hello: dict[str, Any] | None = None, **options: Any) -> Client:
    """Connected by way of the front line, and welcomed."""
    url = f"ws://{desk.front.address}/v1/rt"
    client = Client(await connect(url, subprotocols=PROTOCOLS, compression=None, **options))
    await client.send({"hello": hello or {"site_key": "demo", "name": "王小明", "locale": "zh-CN"}})
    await client.until("welcome")
    return client


def returning(client: Client, *, after: int, epoch: int = 1, session: str = "") -> dict[str, Any]:
    """The hello of a client that comes back and says what it has."""
    welcome = client.frames[0]["welcome"]
    place = {"id": session or welcome["session_id"], "epoch": epoch, "after_seq": after}
    return {"token": welcome["token"], "streams": [place]}


def request(
    desk: Desk, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, address: str = ""
) -> tuple[int, Any]:
    """One HTTP call at the desk, or at `address`."""
    return call(address or f"127.0.0.1:{desk.port}", method, path, body, headers=headers)


def call(
    address: str, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """One HTTP call: status and parsed body. Blocks; raises OSError when the line breaks."""
    content = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(
        f"http://{address}{path}",
        data=content,
        method=method,
        headers={"content-type": "application/json", **(headers or {})},
    )
    try:
        with urllib.request.urlopen(asked, timeout=15) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        raw = error.read()
        return error.code, json.loads(raw) if raw[:1] == b"{" else raw


async def a_token(desk: Desk, **headers: str) -> dict[str, str]:
    """A visitor's token, as a page asks for it."""
    asked = {"site_key": "demo"}
    status, body = await asyncio.to_thread(request, desk, "POST", "/v1/visitor-tokens", asked, headers=headers)
    assert status == 201, body
    return cast(dict[str, str], body["data"])


async def a_lazy_socket(desk: Desk) -> socket.socket:
    """A connection to the gateway itself with hardly any room for what is not read."""
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    lazy.setblocking(False)
    await asyncio.get_running_loop().sock_connect(lazy, ("127.0.0.1", desk.port))
    return lazy


async def a_closed_site(desk: Desk) -> str:
    """A site key that only the pages of one origin may use."""
    return (await desk.services.cli("sites", "create", "--origin", "https://shop.example")).split()[0]


async def an_ingest_key(desk: Desk) -> str:
    """An API key for channel adapters."""
    return (await desk.services.cli("keys", "create", "faults", "--scope", "ingest")).split()[-1]


class Adapter:
    """A channel adapter of one visitor by way of the front line: every call is made until it is answered well."""

    def __init__(self, desk: Desk, key: str) -> None:
        self._desk = desk
        self._headers = {"authorization": f"Bearer {key}"}
        self.channel = f"c{secrets.token_hex(4)}"
        self.items: list[dict[str, Any]] = []
        self.done = asyncio.Event()

    async def write(self, number: int) -> list[int]:
        """Send messages one after another; their sequence numbers."""
        sender = {"external_id": "u1", "name": "王小明"}
        told = []
        for n in range(number):
            body = {"channel": self.channel, "external_message_id": f"m{n}", "sender": sender, "text": f"第 {n} 个问题"}
            told.append(int((await self._asked("POST", "/v1/messages", body))["seq"]))
        return told

    async def fetch(self) -> None:
        """Poll the outbox until `done`."""
        cursor = ""
        while not self.done.is_set():
            page = await self._asked("GET", f"/v1/channels/{self.channel}/outbox?timeout=1&cursor={cursor}")
            self.items.extend(page["items"])
            cursor = page["cursor"]

    async def _asked(self, method: str, path: str, body: Any = None) -> Any:
        address = self._desk.front.address
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    status, answer = await asyncio.to_thread(
                        request, self._desk, method, path, body, headers=self._headers, address=address
                    )
                    if status in (200, 201):
                        return answer["data"]
                await asyncio.sleep(0.02)


def resident_kb(pid: int) -> int:
    """Memory of a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
