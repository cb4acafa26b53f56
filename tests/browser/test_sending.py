"""What happens to a message of the visitor: sending, sent, stored, refused, kept."""

import pytest
from playwright.async_api import expect

from tests.browser.stand_in import StandIn
from tests.browser.visitor import Visitor, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_message_is_shown_at_once_and_becomes_received(visitor: Visitor, server: StandIn) -> None:
    server.silent = True
    await visitor.write("你好，我想退货")
    await expect(visitor.own).to_have_count(1)
    await expect(visitor.page.locator(".stored .visitor .origin")).to_have_text("Received")
    await expect(visitor.field).to_have_value("")
    await expect(visitor.field).to_be_focused()


async def test_a_lost_ack_is_answered_by_the_same_message_again_and_one_bubble(
    visitor: Visitor, server: StandIn
) -> None:
    server.silent = True
    server.lose_acks = 1
    await visitor.write("Did you get this?")
    await expect(visitor.own.locator(".origin")).to_have_text("Sent")
    await server.cut()
    await expect(visitor.page.locator(".stored .visitor")).to_have_count(1)
    await visitor.online()
    await server.says("Yes, once.", "Ann Lee")
    await expect(visitor.page.locator(".message.person")).to_have_count(1)
    assert await visitor.texts() == ["Did you get this?", "Yes, once."]
    assert len(server.session.events) == 2
    assert len({send["client_msg_id"] for send in server.frames("send")}) == 1


async def test_a_message_that_never_arrived_goes_again_at_once_after_reconnecting(
    visitor: Visitor, server: StandIn
) -> None:
    server.silent = True
    server.lose_sends = 1
    await visitor.write("这条消息在路上丢了")
    await until(lambda: len(server.frames("send")) == 1)
    await server.cut()
    await expect(visitor.page.locator(".stored .visitor")).to_have_count(1, timeout=5_000)  # long before 10 s
    first, second = server.frames("send")
    assert first == second
    assert len(server.session.events) == 1


async def test_without_an_ack_a_message_goes_again_on_the_same_connection_after_ten_seconds(
    visitor: Visitor, server: StandIn
) -> None:
    server.silent = True
    server.lose_acks = 1
    await visitor.page.clock.install()
    await visitor.write("Still there?")
    await expect(visitor.own.locator(".origin")).to_have_text("Sent")
    await visitor.page.clock.run_for(11_500)
    await expect(visitor.page.locator(".stored .visitor")).to_have_count(1)
    assert [send["text"] for send in server.frames("send")] == ["Still there?"] * 2
    assert len(server.session.events) == 1


async def test_a_connection_that_answers_neither_a_message_nor_a_ping_is_left_for_a_new_one(
    visitor: Visitor, server: StandIn
) -> None:
    server.silent = True
    server.frozen = set(server.session.sockets)
    await visitor.page.clock.install()
    await visitor.write("还有人吗？")
    await expect(visitor.own.locator(".origin")).to_have_text("Sent")
    await visitor.page.clock.run_for(11_500)
    await until(lambda: len(server.frames("send")) == 2 and bool(server.frames("ping")))
    await visitor.page.clock.run_for(4_000)
    await visitor.page.clock.run_for(4_000)
    await expect(visitor.page.locator(".stored .visitor .origin")).to_have_text("Received")
    assert len(server.session.events) == 1


async def test_too_fast_counts_down_and_goes_out_by_itself(visitor: Visitor, server: StandIn) -> None:
    server.silent = True
    server.refuse = [{"code": "rate_limited", "message": "that was too fast", "retry_after_ms": 1_500}]
    await visitor.write("Quick!")
    await expect(visitor.status).to_have_text("A little too fast. Your message is kept and goes out in 2 s.")
    await expect(visitor.status).to_have_text("A little too fast. Your message is kept and goes out in 1 s.")
    await expect(visitor.page.locator(".stored .visitor .origin")).to_have_text("Received")
    await expect(visitor.status).to_have_text("Enter sends, Shift + Enter starts a new line")


async def test_a_refused_message_is_kept_says_why_and_can_be_sent_again(visitor: Visitor, server: StandIn) -> None:
    server.silent = True
    server.refuse = [{"code": "invalid", "message": "the text holds a NUL character"}]
    await visitor.write("Refuse me once")
    failed = visitor.page.locator(".message[data-state=failed]")
    await expect(failed).to_contain_text("the server refused it (the text holds a NUL character)")
    await visitor.page.reload()
    await expect(failed).to_contain_text("Refuse me once")
    await failed.get_by_role("button", name="Send again").click()
    await expect(visitor.page.locator(".stored .visitor .origin")).to_have_text("Received")
    await expect(failed).to_have_count(0)


async def test_a_refused_message_can_be_discarded(visitor: Visitor, server: StandIn) -> None:
    server.refuse = [{"code": "too_long", "message": "too long"}]
    await visitor.write("Too long, they say")
    await visitor.page.get_by_role("button", name="Discard").click()
    await expect(visitor.own).to_have_count(0)
    await expect(visitor.field).to_be_focused()
    await visitor.page.reload()
    await visitor.online()
    await expect(visitor.own).to_have_count(0)


async def test_a_text_that_is_too_long_is_kept_in_the_field(visitor: Visitor, server: StandIn) -> None:
    await visitor.write("长" * 8_003)
    await expect(visitor.status).to_have_text("3 characters too many. Please shorten the message; nothing was sent.")
    await expect(visitor.field).to_have_value("长" * 8_003)
    assert server.frames("send") == []


async def test_offline_keeps_what_is_written_across_a_reload_and_sends_it_later(
    visitor: Visitor, server: StandIn
) -> None:
    server.silent = True
    server.down = True
    await visitor.page.evaluate("Object.defineProperty(navigator, 'onLine', {get: () => false, configurable: true})")
    await server.cut()
    await expect(visitor.status).to_have_text("You are offline. What you write is kept and goes out later.")
    await visitor.write("Written on the train")
    await expect(visitor.own.locator(".origin")).to_have_text("Kept; goes out when you are connected")
    await visitor.page.reload()
    await expect(visitor.own).to_contain_text("Written on the train")
    server.down = False
    await expect(visitor.page.locator(".stored .visitor .origin")).to_have_text("Received")
    assert [event["event"]["message"]["text"] for event in server.session.events] == ["Written on the train"]


async def test_typing_is_told_at_most_every_three_seconds(visitor: Visitor, server: StandIn) -> None:
    await visitor.field.press_sequentially("I am writing a long question")

    await until(lambda: bool(server.frames("typing")))
    await visitor.write("done")
    await until(lambda: bool(server.frames("send")))
    assert len(server.frames("typing")) == 1
    await visitor.field.press_sequentially("And")  # after a message it is news at once
    await until(lambda: len(server.frames("typing")) == 2)
