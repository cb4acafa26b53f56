"""What a visitor does and sees, in the words of the tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.browser.stand_in import StandIn


class Visitor:
    """One browser profile with the page open."""

    def __init__(self, page: Page, server: StandIn) -> None:
        self.page = page
        self.server = server
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"{error}\n{error.stack}"))

    def _heard(self, message: ConsoleMessage) -> None:
        # A refused request is part of some tests; the browser's own note about it says nothing about the page.
        refusal = "Failed to load resource" in message.text or "WebSocket" in message.text
        if message.type == "error" and not refusal:
            self.complaints.append(message.text)

    @property
    def field(self) -> Locator:
        return self.page.locator("#message")

    @property
    def messages(self) -> Locator:
        return self.page.locator(".message")

    @property
    def answers(self) -> Locator:
        return self.page.locator(".stored .message.machine")

    @property
    def own(self) -> Locator:
        return self.page.locator(".message.visitor")

    @property
    def notes(self) -> Locator:
        return self.page.locator(".note")

    @property
    def status(self) -> Locator:
        return self.page.locator("#status")

    async def open(self) -> None:
        await self.page.goto(self.server.url)
        await self.online()

    async def online(self) -> None:
        await expect(self.page.locator("html[data-phase=online]")).to_be_attached()

    async def write(self, text: str) -> None:
        await self.field.fill(text)
        await self.field.press("Enter")

    async def ask(self, text: str) -> Locator:
        """Write, and wait for the stored answer."""
        before = await self.answers.count()
        await self.write(text)
        await expect(self.answers).to_have_count(before + 1)
        return self.answers.last

    async def texts(self) -> list[str]:
        """What every bubble says, in order."""
        return [text.strip() for text in await self.page.locator(".message .bubble").all_inner_texts()]

    async def sideways(self) -> int:
        """How many pixels the page can be scrolled to the side."""
        width: int = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return width


@asynccontextmanager
async def visiting(
    browser: Browser, server: StandIn, *, locale: str = "en-GB", **options: Any
) -> AsyncIterator[Visitor]:
    """A visitor with the page open. At the end the page must have complained about nothing."""
    options = {"viewport": {"width": 1280, "height": 800}, **options}
    context = await browser.new_context(locale=locale, timezone_id="Asia/Shanghai", **options)
    context.set_default_timeout(8_000)
    try:
        visitor = Visitor(await context.new_page(), server)
        await visitor.open()
        yield visitor
        assert visitor.complaints == []
    finally:
        await context.close()


async def until(fact: Callable[[], bool], seconds: float = 8) -> None:
    """Wait for a fact about the server; it runs in the same event loop as the test."""
    async with asyncio.timeout(seconds):
        while not fact():  # noqa: ASYNC110 - the facts are plain lists of the stand-in
            await asyncio.sleep(0.01)
