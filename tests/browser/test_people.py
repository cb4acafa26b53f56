"""From a machine that is not sure to a person, and back."""

import pytest
from playwright.async_api import expect

from tests.browser.stand_in import StandIn
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_what_is_not_known_ends_in_waiting_for_a_person(visitor: Visitor) -> None:
    await visitor.write("火星上可以退货吗？")
    await expect(visitor.notes.nth(0)).to_contain_text("I will not guess. A colleague takes over.")
    await expect(visitor.notes.nth(1)).to_contain_text("Waiting for a person.")
    await expect(visitor.page.locator("#who")).to_have_text("Waiting for a person")
    await expect(visitor.status).to_contain_text("You can go on writing")
    await expect(visitor.page.locator(".indicator")).to_be_hidden()


async def test_a_person_joins_writes_and_hands_back(visitor: Visitor, server: StandIn) -> None:
    await visitor.write("unknown thing")
    await expect(visitor.notes).to_have_count(2)
    await server.takeover("王敏")
    await expect(visitor.page.locator("#who")).to_have_text("王敏 · Support")
    await expect(visitor.notes.last).to_have_text("王敏 joined the conversation.")
    await server.typing("王敏")
    await expect(visitor.page.locator(".indicator")).to_have_text("王敏 is writing")
    await server.says("您好，我来帮您。", "王敏")
    person = visitor.page.locator(".message.person")
    await expect(person.locator(".who")).to_have_text("王王敏 · Support")
    await expect(person.locator(".face")).to_have_text("王")
    await expect(visitor.page.locator(".indicator")).to_be_hidden()
    await visitor.write("谢谢")
    await expect(visitor.page.locator(".stored .visitor")).to_have_count(2)
    await expect(visitor.page.locator(".indicator")).to_be_hidden()
    await server.change("open", agent="王敏", reason="handback")
    await expect(visitor.notes.last).to_have_text("王敏 handed back. The assistant answers again.")
    await expect(visitor.page.locator("#who")).to_have_text("Assistant")


async def test_a_person_who_takes_over_ends_the_preview_of_the_machine(visitor: Visitor, server: StandIn) -> None:
    server.pause_after = 3
    await visitor.write("How do I return something?")
    await server.halfway()
    await expect(visitor.page.locator(".draft")).to_have_count(1)
    await server.takeover("Ann Lee")
    await expect(visitor.page.locator(".draft")).to_have_count(0)
    await expect(visitor.page.get_by_role("button", name="Stop the answer")).to_be_hidden()


async def test_the_place_in_line_is_told_when_it_is_known(visitor: Visitor, server: StandIn) -> None:
    await server.change("waiting", place=2)
    await expect(visitor.notes).to_have_text(["Waiting for a person. You are 2nd in line."])


async def test_a_closed_conversation_says_why_and_can_be_begun_again(visitor: Visitor, server: StandIn) -> None:
    await visitor.ask("How do I return something?")
    await server.change("closed", reason="idle")
    await expect(visitor.notes).to_have_text(["This conversation was closed after a long silence."])
    await expect(visitor.field).to_be_hidden()
    again = visitor.page.get_by_role("button", name="Start a new conversation")
    await expect(again).to_be_focused()
    await again.press("Enter")
    await expect(visitor.field).to_be_focused()
    await expect(visitor.messages).to_have_count(0)
    await visitor.online()
    await visitor.ask("退款")
    assert len(server.sessions) == 2
