"""Every message says where it comes from and whether a model generated it, whichever way it is read."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from parley.testing.servers.ports import free_port
from tests.flow.house import House, a_house
from tests.flow.people import UNKNOWN, ZH, a_visitor, answered, ids


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """The demo with a stand-in model."""
    command = [sys.executable, "-m", "parley.testing.model", "--port", str(free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        try:
            with a_house(PARLEY_LLM_URL=url, PARLEY_LLM_MODEL="stand-in:plain") as house:
                yield house
        finally:
            process.kill()


def parley(house: House, *words: str) -> str:
    command = [sys.executable, "-m", "parley.cli", *words]
    environment = {**os.environ, **house.environment}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def told(messages: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    return [(message["origin"], message["ai_generated"]) for message in messages]


def bodies(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event[kind] for event in events for kind in ("message", "message_end") if kind in event]


async def test_frames_history_and_export_say_the_same(house: House) -> None:
    async with a_visitor(house) as visitor:
        session, _ = ids(visitor)
        ends = [await answered(visitor, ZH), await answered(visitor, UNKNOWN)]
        by_frame = told(ends)
    _, page, _ = house.call("GET", f"/v1/sessions/{session}/messages", key=house.operator_key)
    by_rest = told(bodies(page["data"]["events"]))
    exported = parley(house, "session", "export", session)
    lines = [json.loads(line) for line in exported.splitlines()]
    assert by_rest == told(lines)
    assert [one for one in by_rest if one[0] != "visitor"] == by_frame
    assert by_rest[0] == ("visitor", False)
    assert by_frame == [("llm", True), ("rule", False)]
    assert all(origin for origin, _ in by_rest)


async def test_a_channels_outbox_says_it_too(house: House) -> None:
    who = {"external_id": "wxid_li", "name": "李娜", "locale": "zh-CN"}
    message = {"channel": "wechat", "external_message_id": "m-1", "sender": who, "text": ZH}
    key = parley(house, "keys", "create", "origin", "--scope", "ingest").split()[-1]
    assert house.call("POST", "/v1/messages", message, key=key)[0] in (201, 202)
    _, page, _ = house.call("GET", "/v1/channels/wechat/outbox?timeout=10", key=key)
    (reply,) = bodies([item["event"] for item in page["data"]["items"]])
    assert reply["origin"]
    assert reply["ai_generated"] is (reply["origin"] in {"llm", "local_llm", "cache"})
