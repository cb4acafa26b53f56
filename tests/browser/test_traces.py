"""The trace drawer: where the time of one answer went."""

import pytest
from playwright.async_api import expect

from tests.browser.stand_in import StandIn
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_trace_is_one_click_away_and_begins_with_a_plain_sentence(visitor: Visitor) -> None:
    answer = await visitor.ask("How do I return something?")
    await answer.locator(".trace-link").click()
    drawer = visitor.page.locator("#trace")
    await expect(drawer.locator(".sum")).to_have_text(
        "Answered in 412 ms: 9 ms waiting, 32 ms searching, 349 ms model, 22 ms everything else."
    )
    await expect(drawer.locator(".spans > li")).to_have_count(18)
    await expect(drawer.locator(".bar.wait")).to_have_count(3)
    await expect(drawer.locator(".bar.model")).to_have_count(1)
    hatched = await drawer.locator(".bar.wait").first.evaluate("node => getComputedStyle(node).backgroundImage")
    assert "repeating-linear-gradient" in hatched


async def test_bars_lie_where_their_spans_were_in_time(visitor: Visitor) -> None:
    answer = await visitor.ask("How do I return something?")
    await answer.locator(".trace-link").click()
    model = visitor.page.locator(".bar.model")
    await expect(model).to_be_visible()
    left, width = await model.evaluate("node => [parseFloat(node.style.left), parseFloat(node.style.width)]")
    assert left == pytest.approx(100 * 52 / 412.2, abs=0.1)
    assert width == pytest.approx(100 * 349 / 412.2, abs=0.1)


async def test_the_attributes_of_a_span_are_one_click_below(visitor: Visitor) -> None:
    answer = await visitor.ask("How do I return something?")
    await answer.locator(".trace-link").click()
    row = visitor.page.locator("#trace .spans > li", has_text="chat small-model")
    await expect(row.locator("dl")).to_be_hidden()
    await row.locator("summary").click()
    await expect(row.locator("dl")).to_contain_text("gen_ai.request.model")


@pytest.mark.parametrize(
    ("status", "words", "again"),
    [
        (403, "Traces are for operators; this page may not read them.", 0),
        (404, "No spans of this trace are here yet.", 1),
        (503, "The trace could not be read.", 1),
    ],
)
async def test_a_trace_that_cannot_be_read_is_explained(
    visitor: Visitor, server: StandIn, status: int, words: str, again: int
) -> None:
    server.trace_status = status
    answer = await visitor.ask("How do I return something?")
    await answer.locator(".trace-link").click()
    drawer = visitor.page.locator("#trace")
    await expect(drawer).to_contain_text(words)
    await expect(drawer.get_by_role("button", name="Read again")).to_have_count(again)
    await visitor.page.keyboard.press("Escape")
    await expect(drawer).to_be_hidden()
