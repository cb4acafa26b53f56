"""Bodies that are too large or too slow, declared or not, are refused and not read to their end."""

import asyncio
import json
from typing import Any

import pytest

from parley_gateway.rest.body_limit import FORM_BYTES, JSON_BYTES, App, BodyLimit


async def reading(scope: Any, receive: Any, send: Any) -> None:
    """An app that reads everything, and takes a broken body for a bad request, as FastAPI does."""
    status, size = 200, 0
    try:
        more = True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
    except Exception:  # noqa: BLE001 - as FastAPI does
        status = 400
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps({"size": size}).encode()})


async def crashing(scope: Any, receive: Any, send: Any) -> None:
    """An app that lets everything through."""
    while (await receive()).get("more_body"):
        pass


async def asked(
    app: App,
    *parts: bytes,
    path: str = "/v1/messages",
    headers: list[tuple[bytes, bytes]] | None = None,
    seconds: float = 5,
    endless: bool = False,
    parts_left: list[bytes] | None = None,
) -> tuple[int, Any]:
    sent: list[dict[str, Any]] = []
    waiting = list(parts) if parts_left is None else parts_left
    ended = iter([] if endless else [True])

    async def receive() -> dict[str, Any]:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(0), "more_body": True}
        if next(ended, False):
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    limited = BodyLimit(app, upload_bytes=1_000_000, body_seconds=seconds)
    await limited({"type": "http", "path": path, "headers": headers or []}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_a_body_within_the_limit_passes() -> None:
    assert await asked(reading, b"x" * 1000, b"y" * 1000) == (200, {"size": 2000})


@pytest.mark.parametrize("app", [reading, crashing])
async def test_a_body_that_says_nothing_of_its_size_is_cut_off(app: App) -> None:
    status, body = await asked(app, *[b"x" * 100_000] * 6)
    assert (status, body["code"]) == (413, 413)
    assert str(JSON_BYTES) in body["message"]


async def test_a_body_that_says_that_it_is_too_large_is_not_read_at_all() -> None:
    declared = [(b"content-length", str(JSON_BYTES + 1).encode())]
    assert (await asked(reading, headers=declared, endless=True, seconds=0.01))[0] == 413
    for more in ([(b"expect", b"100-continue")], [(b"content-length", b"99999999999")]):
        assert (await asked(reading, b"x", headers=[*more, *declared], endless=True))[0] == 413


async def test_a_client_that_is_refused_while_it_sends_is_heard_out_so_that_it_hears_the_answer() -> None:
    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    for app, parts, declared in ((refusing, 9, 900_000), (reading, 20, 2_000_000), (reading, 20, 0)):
        left = [b"x" * 100_000] * parts
        headers = [(b"content-length", str(declared).encode())] if declared else []
        status, _ = await asked(app, headers=headers, parts_left=left, path="/v1/media")
        assert status == (401 if app is refusing else 413)
        assert left == []


async def test_but_not_for_ever() -> None:
    left = [b"x" * 1_000_000] * 40
    assert (await asked(reading, parts_left=left))[0] == 413
    assert len(left) > 20


async def test_a_body_that_lies_about_its_size_is_cut_off() -> None:
    assert (await asked(reading, *[b"x" * 600_000], headers=[(b"content-length", b"10")]))[0] == 413


async def test_uploads_may_be_larger_by_their_own_limit() -> None:
    assert (await asked(reading, b"x" * 1_000_000, path="/v1/media"))[0] == 200
    assert (await asked(reading, b"x" * (1_000_001 + FORM_BYTES), path="/v1/media"))[0] == 413


@pytest.mark.parametrize("app", [reading, crashing])
async def test_a_body_that_drips_is_given_up(app: App) -> None:
    status, body = await asked(app, b"{", seconds=0.01, endless=True)
    assert (status, body["code"]) == (408, 408)


async def test_waiting_for_the_client_after_its_body_is_not_limited() -> None:
    """A long poll waits for the disconnect far longer than a body may take."""
    gone: list[str] = []

    async def polling(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            async with asyncio.timeout(0.05):
                await receive()
        except TimeoutError:
            gone.append("still there")
        await reading(scope, ended, send)

    async def ended() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    assert (await asked(polling, seconds=0.01))[0] == 200
    assert gone == ["still there"]
