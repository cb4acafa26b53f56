"""A first visit: ask, watch the answer arrive, see where it comes from."""

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.scenes import DELIVERY, RETURNS
from tests.browser.stand_in import StandIn
from tests.browser.visitor import Visitor, until, visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_first_thing_on_the_screen_is_where_to_type(visitor: Visitor) -> None:
    await expect(visitor.field).to_be_focused()
    await expect(visitor.page.get_by_role("heading", name="Hello, how can we help?")).to_be_visible()


async def test_an_answer_is_streamed_and_ends_with_badge_source_time_and_trace(
    visitor: Visitor, server: StandIn
) -> None:
    server.pause_after = 3
    await visitor.write("How do I return something?")
    await server.halfway()
    draft = visitor.page.locator(".message.draft")
    await expect(draft.locator(".bubble")).to_contain_text("You can return any item within")
    await expect(draft.locator(".caret")).to_be_visible()
    server.resume.set()
    await expect(visitor.answers).to_have_count(1)
    answer = visitor.answers.first
    await expect(draft).to_have_count(0)
    await expect(answer.locator(".bubble strong").first).to_have_text("30 days")
    await expect(answer.locator(".bubble li")).to_have_count(3)
    await expect(answer.locator(".origin")).to_have_text("Quoted from Returns, v3")
    await expect(answer.locator(".origin cite")).to_have_text("Returns")
    await expect(answer.locator("time")).to_contain_text("Today ")
    await expect(answer.get_by_role("button", name="Trace of this message")).to_be_visible()


async def test_the_end_of_an_answer_does_not_move_its_text(visitor: Visitor, server: StandIn) -> None:
    for _ in range(2):  # enough that the log scrolls
        await visitor.ask("compare")
    server.pause_after = 7  # all of it is shown, its end is still to come
    await visitor.write("compare")
    await server.halfway()
    place = "node => { const box = node.getBoundingClientRect(); return [box.left, box.top]; }"
    draft = visitor.page.locator(".draft .bubble")
    await expect(draft).to_contain_text("working days2.")
    before = await draft.evaluate(place)
    server.resume.set()
    await expect(visitor.answers).to_have_count(3)
    assert await visitor.answers.last.locator(".bubble").evaluate(place) == before
    await expect(visitor.answers.last.locator(".sources summary").first).to_be_in_viewport()


async def test_a_source_opens_in_place_and_a_number_in_the_text_points_to_it(visitor: Visitor) -> None:
    answer = await visitor.ask("compare")
    await expect(answer.locator(".origin")).to_have_text("AI-generated · from 2 sources")
    cards = answer.locator(".sources details")
    await expect(cards.nth(0)).to_contain_text("How to return")
    await expect(cards.nth(1)).to_contain_text("Version 1")
    await expect(cards.nth(0).locator("blockquote")).to_be_hidden()
    await cards.nth(0).locator("summary").click()
    await expect(cards.nth(0).locator("blockquote")).to_have_text(str(RETURNS["passage"]))
    await answer.get_by_role("button", name="Source 2").click()
    await expect(cards.nth(1).locator("blockquote")).to_have_text(str(DELIVERY["passage"]))
    await expect(cards.nth(1).locator("summary")).to_be_focused()
    await expect(cards.nth(1).get_by_role("link")).to_have_attribute("rel", "noopener noreferrer")


async def test_text_of_an_answer_is_never_markup(visitor: Visitor, server: StandIn) -> None:
    evil = '<img src=x onerror="document.title=1"><script>alert(1)</script> [a](javascript:alert(1)) **bold** [7]'
    source = {**RETURNS, "title": "<b>Returns</b>", "passage": "<svg onload=alert(1)>", "uri": "javascript:alert(1)"}
    server.silent = True
    await visitor.write("hello")
    await visitor.page.wait_for_selector(".stored .visitor")
    await server.reply(evil, origin="llm", ai_generated=True, sources=[source])
    answer = visitor.answers.first
    await expect(answer.locator(".bubble")).to_contain_text(
        "<script>alert(1)</script> [a](javascript:alert(1)) bold [7]"
    )
    await expect(answer.locator("script, svg, a")).to_have_count(0)
    await expect(answer.locator(".bubble img")).to_have_count(0)
    await expect(answer.locator(".heading cite")).to_have_text("<b>Returns</b>")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"origin": "cache"}, "From an earlier answer"),
        ({"origin": "rule"}, "Rule"),
        ({"origin": "llm", "ai_generated": True}, "AI-generated"),
        ({"origin": "llm", "ai_generated": True, "sources": [RETURNS]}, "AI-generated · from 1 source"),
        ({"origin": "extractive"}, "Quoted from the handbook"),
    ],
)
async def test_each_origin_is_told_in_words(
    visitor: Visitor, server: StandIn, facts: dict[str, Any], words: str
) -> None:
    await server.reply("Yes.", **facts)
    await expect(visitor.answers.first.locator(".origin")).to_have_text(words)


async def test_a_running_answer_can_be_stopped(visitor: Visitor, server: StandIn) -> None:
    server.pause_after = 2
    await visitor.write("How do I return something?")
    await server.halfway()
    stop = visitor.page.get_by_role("button", name="Stop the answer")
    await stop.click()
    message_id = server.session.draft[0]["message_begin"]["message_id"]
    await until(lambda: server.frames("stop") == [{"message_id": message_id}])
    await server.end("You can return", message_id=message_id, finish_reason="cancelled", origin="extractive")
    await expect(visitor.answers.first.locator(".finish")).to_have_text("Stopped")
    await expect(stop).to_be_hidden()


async def test_while_an_answer_is_looked_for_the_page_says_so(visitor: Visitor, server: StandIn) -> None:
    server.silent = True
    await visitor.write("Where is my parcel?")
    indicator = visitor.page.locator(".indicator")
    await expect(indicator).to_have_text("Looking for an answer")
    await expect(indicator).to_have_text("Searching the handbook")
    await server.reply("It is on its way.", origin="rule")
    await expect(indicator).to_be_hidden()


async def test_a_reference_stays_on_the_line_of_its_word(browser: Browser, server: StandIn) -> None:
    lines = """node => [...node.parentNode.childNodes].map((part) => {
      const range = document.createRange();
      range.selectNodeContents(part);
      return Math.round(range.getBoundingClientRect().bottom / 12);
    })"""
    for width in range(320, 480, 40):
        async with visiting(browser, server, viewport={"width": width, "height": 700}) as visitor:
            answer = await visitor.ask("compare")
            for cite in await answer.locator(".cite").all():
                word, number, mark = await cite.evaluate(lines)
                assert abs(word - number) <= 1
                assert abs(mark - number) <= 1
