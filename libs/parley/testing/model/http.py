"""Just enough HTTP/1.1 to do to a client what no proper server would."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

LARGEST_BODY = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection; None when the client has closed it. Raises ValueError for anything odd."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if length > LARGEST_BODY or "transfer-encoding" in headers:
        raise ValueError("the stand-in takes bodies with a length, up to 32 MiB")
    return Request(method, path.partition("?")[0], headers, await reader.readexactly(length))


def answer(status: int, body: Any, headers: Mapping[str, str], *, kind: str = "application/json") -> bytes:
    """A whole answer."""
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return _head(status, {"content-type": kind, "content-length": str(len(data)), **headers}) + data


def stream_head(headers: Mapping[str, str]) -> bytes:
    """The head of a streamed answer."""
    return _head(200, {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked", **headers})


def chunk(data: bytes) -> bytes:
    """A piece of a streamed body; an empty one ends it."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Overloaded"  # 529 is in no register
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
