"""Takes the pictures of the README from the real product: `make screenshots`."""

import asyncio
import sys
from contextlib import ExitStack
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.conftest import CHROMIUM_ARGUMENTS, chromium_path
from tests.flow.house import a_house

IMAGES = Path(__file__).parents[2] / "docs" / "images"
QUESTIONS = ("How long do I have to return an item?", "退款多久可以到账？")
ANSWER_MS = 30_000


async def take(base_url: str, folder: Path) -> list[Path]:
    """Write page-light.png, page-dark.png and trace.png; answers their paths. The folder exists."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        try:
            light, dark, trace = (folder / f"{name}.png" for name in ("page-light", "page-dark", "trace"))
            await _page(browser, base_url, "light", light, trace)
            await _page(browser, base_url, "dark", dark)
        finally:
            await browser.close()
    return [light, dark, trace]


async def _page(browser: Browser, base_url: str, scheme: str, picture: Path, trace: Path | None = None) -> None:
    context = await browser.new_context(
        viewport={"width": 1120, "height": 860},
        device_scale_factor=1.5,
        color_scheme="dark" if scheme == "dark" else "light",
        locale="en-GB" if scheme == "light" else "zh-CN",
    )
    page = await context.new_page()
    page.set_default_timeout(ANSWER_MS)
    await page.goto(base_url)
    await expect(page.locator("html[data-phase=online]")).to_be_attached(timeout=ANSWER_MS)
    for count, question in enumerate(QUESTIONS, start=1):
        await page.fill("#message", question)
        await page.press("#message", "Enter")
        await expect(page.locator(".stored .message.machine")).to_have_count(count, timeout=ANSWER_MS)
    await page.locator(".sources summary").last.click()
    await page.locator("#log").evaluate("log => log.scrollTo(0, log.scrollHeight)")
    await page.screenshot(path=picture)
    if trace is not None:
        await _trace(page, trace)
    await context.close()


async def _trace(page: Page, picture: Path) -> None:
    """The spans arrive a moment after the answer: read again until the timeline is there."""
    await page.locator(".machine .trace-link").first.click()
    again = page.locator("#trace .plain")
    for _ in range(20):
        await expect(page.locator("#trace .spans, #trace .plain").first).to_be_visible(timeout=ANSWER_MS)
        if not await again.count():
            break
        await page.wait_for_timeout(250)
        await again.click()
    await expect(page.locator("#trace .spans")).to_be_visible(timeout=ANSWER_MS)
    await page.screenshot(path=picture)


def main() -> None:
    """`python -m tests.browser.screenshots [BASE_URL [FOLDER]]`; without an address, of a house of its own."""
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        address = sys.argv[1] if len(sys.argv) > 1 else stack.enter_context(a_house()).url
        for path in asyncio.run(take(address, folder)):
            print(path)


if __name__ == "__main__":
    main()
