"""One headless Chromium for all tests of the page; a fresh visitor and a fresh server for each."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.browser.stand_in import StandIn, serving
from tests.browser.visitor import Visitor, visiting

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def chromium_path() -> str:
    """The browser of the machine."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert found, "these tests need Chromium: install the package `chromium`, or set CHROMIUM to its path"
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[StandIn]:
    async with serving(StandIn()) as stand_in:
        yield stand_in


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, server: StandIn) -> AsyncIterator[Visitor]:
    """A first visitor who reads English, with the page open."""
    async with visiting(browser, server) as visitor:
        yield visitor
