"""Clients that nobody here wrote: socket.io-client and ws in Node, EventSource in Chromium."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright

from tests.browser.conftest import CHROMIUM_ARGUMENTS, chromium_path
from tests.flow.house import House, a_house

pytestmark = pytest.mark.browser
CLIENTS = Path(__file__).parents[1] / "clients"


@pytest.fixture(scope="module")
def desk() -> Iterator[House]:
    with a_house() as house:
        yield house


async def driven(script: str, *arguments: str) -> dict[str, Any]:
    """What a client saw, as it printed it."""
    process = await asyncio.create_subprocess_exec(
        "node", str(CLIENTS / script), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    seen: dict[str, Any] = json.loads(out)
    return seen


@pytest.mark.parametrize(("kind", "last"), [("websocket", "websocket"), ("polling", "polling"), ("both", "websocket")])
async def test_socket_io_client_is_answered_cut_and_resumed(desk: House, kind: str, last: str) -> None:
    seen = await driven("socket_io.mjs", desk.url, kind)
    assert seen["transport"] == last
    assert [welcome["recovered"] for welcome in seen["welcomes"]] == [True, True]
    assert seen["seqs"] == [2, 4]  # 1 and 3 are its own, which the acks told
    acks = [ack["ack"] for ack in seen["acks"]]
    assert [(ack["seq"], ack["duplicate"]) for ack in acks] == [(1, False), (1, True), (3, False)]
    assert seen["chunks"]


async def test_ws_is_answered_cut_resumed_and_sent_away_for_nonsense(desk: House) -> None:
    seen = await driven("ws.mjs", f"ws://127.0.0.1:{desk.port}/v1/rt")
    assert seen["protocol"] == "parley.v1.json"
    assert seen["welcomes"][0]["recovered"]
    assert seen["seqs"] == [2, 2]  # the second time from the store
    assert [(ack["seq"], ack["duplicate"]) for ack in seen["acks"]] == [(1, False), (1, True)]
    assert seen["closed"] == 4002


LISTEN = """
async ({ text }) => {
  const post = async (path, body, token) => {
    const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
    return (await (await fetch(path, { method: "POST", headers, body: JSON.stringify(body) })).json()).data;
  };
  const { frames } = await post("/v1/rt/hello", { hello: { site_key: "demo" }, cookie: true });
  const { session_id, token } = frames[0].welcome;
  window.seen = { ids: [], seqs: [], welcomes: [], opened: 0 };
  const source = (window.source = new EventSource(`/v1/rt/stream?session=${session_id}`));
  source.onopen = () => window.seen.opened++;
  source.onmessage = ({ data, lastEventId }) => {
    const frame = JSON.parse(data);
    if (frame.welcome) window.seen.welcomes.push(frame.welcome.streams[0]);
    if (!frame.event) return;
    window.seen.ids.push(lastEventId);
    window.seen.seqs.push(frame.event.seq);
  };
  window.say = (id, text) => post("/v1/rt/send", { send: { client_msg_id: id, text } }, token);
  return (await window.say("c-1", text)).ack;
}
"""


@pytest.fixture
def own() -> Iterator[House]:
    """A house of its own, since it is restarted."""
    with a_house() as house:
        yield house


async def test_event_source_in_a_browser_resumes_by_its_last_event_id(own: House) -> None:
    desk = own
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        page = await browser.new_page(bypass_csp=True)  # the test looks into the page by evaluating
        await page.goto(desk.url)
        ack = await page.evaluate(LISTEN, {"text": "多久可以退货？"})
        assert (ack["seq"], ack["duplicate"]) == (1, False)
        await page.wait_for_function("window.seen.seqs.length === 2")
        desk.stop("all")
        desk.start("all")
        desk.wait_ready()
        await page.wait_for_function("window.seen.opened === 2", timeout=20_000)
        await page.evaluate("window.say('c-2', 'How long does delivery take?')")
        await page.wait_for_function("window.seen.seqs.length === 4", timeout=20_000)
        seen = await page.evaluate("window.seen")
        await browser.close()
    assert seen["seqs"] == [1, 2, 3, 4]
    assert seen["ids"] == ["1:1", "1:2", "1:3", "1:4"]
    assert [welcome["recovered"] for welcome in seen["welcomes"]] == [True, True]
