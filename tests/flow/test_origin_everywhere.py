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


async def test_one_turns_trace_says_what_every_stage_decided_and_no_word_of_the_conversation(house: House) -> None:
    async with a_visitor(house) as visitor:
        said = await answered(visitor, f"{ZH} 打13800138000告诉我")
    stages = {"answer turn", "stage rules", "stage search", "stage guard", "chat stand-in:plain"}
    spans: dict[str, dict[str, Any]] = {}
    for _ in range(500):  # spans travel on the bus and come a little later than the answer
        _, page, _ = house.call("GET", f"/v1/traces/{said['trace_id']}", key=house.operator_key)
        spans = {span["name"]: span["attributes"] for span in page["data"]["spans"]}
        if stages <= spans.keys():
            break
    turn, chat = spans["answer turn"], spans["chat stand-in:plain"]
    assert (turn["parley.route"], turn["parley.degrade_level"]) == ("stand-in:plain", "L0")
    assert turn["parley.prompt"].startswith("answer.zh v")
    assert turn["parley.tokens"].endswith("out")
    assert spans["stage guard"]["parley.guard"] == "hidden PHONE"
    assert spans["stage rules"]["parley.decision"] == "none"
    assert (chat["gen_ai.operation.name"], int(chat["gen_ai.usage.output_tokens"]) > 0) == ("chat", True)
    assert not any(word in str(spans) for word in ("13800138000", "退款", "七天"))
