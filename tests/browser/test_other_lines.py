"""Where no WebSocket comes through, the page goes on by server-sent events, and without those by polling."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.conftest import CHROMIUM_ARGUMENTS, chromium_path
from tests.flow.house import House, a_house

pytestmark = pytest.mark.browser

NO_SOCKET = """
window.WebSocket = class { constructor() { setTimeout(() => this.onclose?.({ code: 1006 })); } send() {} close() {} };
"""
NO_EVENTS = """
window.EventSource = class { constructor() { throw new Error("not here"); } };
"""


@pytest.fixture(scope="module")
def desk() -> Iterator[House]:
    with a_house() as house:
        yield house


async def ask(browser: Browser, desk: House, script: str, path: str) -> None:
    page = await browser.new_page(locale="zh-CN")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.add_init_script(script)
    await page.goto(desk.url)
    await expect(page.locator("html[data-phase=online]")).to_be_attached(timeout=20_000)
    for number, text in enumerate(("多久可以退货？", "How long does delivery take?"), 1):
        await page.fill("#message", text)
        await page.press("#message", "Enter")
        await expect(page.locator(".stored .message.machine")).to_have_count(number, timeout=20_000)
        await expect(page.locator(".message.visitor")).to_have_count(number)
    assert any(path in url for url in asked)
    await page.reload()
    await expect(page.locator(".stored .message.machine")).to_have_count(2, timeout=20_000)
    await page.close()


async def test_the_page_goes_on_without_websockets(desk: House) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        await ask(browser, desk, NO_SOCKET, "/v1/rt/stream")
        await ask(browser, desk, NO_SOCKET + NO_EVENTS, "/v1/rt/poll")
        await browser.close()
