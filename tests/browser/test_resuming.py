"""Lost connections, reloads and restarts: nothing twice, nothing missing, in order."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.stand_in import StandIn
from tests.browser.visitor import Visitor, until, visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_socket_cut_in_mid_stream_resumes_without_gap_or_double(visitor: Visitor, server: StandIn) -> None:
    await visitor.ask("How do I return something?")
    server.pause_after = 4
    await visitor.write("退款多久到账？")
    await server.halfway()
    await expect(visitor.page.locator(".draft .bubble")).to_contain_text("退款会在收到退货后的")
    await server.cut()
    await until(lambda: bool(server.session.sockets))
    server.resume.set()
    await expect(visitor.answers).to_have_count(2)
    texts = await visitor.texts()
    assert [text.split("\n")[0][:8] for text in texts] == ["How do I", "You can ", "退款多久到账？", "退款会在收到退货"]
    assert server.frames("hello")[-1]["streams"] == [{"id": server.session.id, "epoch": 1, "after_seq": 3}]
    await expect(visitor.page.locator(".draft")).to_have_count(0)


async def test_what_happened_while_away_is_there_after_reconnecting(visitor: Visitor, server: StandIn) -> None:
    server.down = True
    await server.cut()
    await expect(visitor.status).to_have_text("Connection lost. Reconnecting …")
    await server.takeover("王敏")
    await server.says("您好，我是王敏。", "王敏")
    server.down = False
    await expect(visitor.status).to_have_text("Connected again. Nothing was missed.", timeout=30_000)
    await expect(visitor.messages).to_have_count(1)
    await expect(visitor.notes).to_have_text(["王敏 joined the conversation."])


async def test_a_lost_event_shows_in_the_next_ping_and_is_read_from_the_store(
    visitor: Visitor, server: StandIn
) -> None:
    sockets, server.session.sockets = server.session.sockets, {}
    await server.says("This frame gets lost.", "Ann")
    server.session.sockets = dict.fromkeys(sockets, 1)
    await server.ping()
    await expect(visitor.messages).to_have_count(1)


async def test_an_event_that_comes_too_early_waits_for_the_one_before_it(visitor: Visitor, server: StandIn) -> None:
    sockets, server.session.sockets = server.session.sockets, {}
    await server.says("One", "Ann")
    server.session.sockets = dict.fromkeys(sockets, 1)
    await server.says("Two", "Ann")
    await expect(visitor.messages).to_have_count(2)
    assert await visitor.texts() == ["One", "Two"]


async def test_an_unknown_epoch_reads_the_conversation_anew(visitor: Visitor, server: StandIn) -> None:
    await visitor.ask("How do I return something?")
    session = server.session
    session.epoch = 2
    session.events = [{"event": {**event["event"], "epoch": 2}} for event in session.events[:1]]
    await server.cut()
    await expect(visitor.messages).to_have_count(1)
    await visitor.online()
    await server.says("Here again", "Ann")
    await expect(visitor.messages).to_have_count(2)


async def test_a_reload_shows_the_same_conversation(visitor: Visitor, server: StandIn) -> None:
    await visitor.ask("How do I return something?")
    before = await visitor.texts()
    await visitor.page.reload()
    await expect(visitor.answers).to_have_count(1)
    assert await visitor.texts() == before
    assert len(server.sessions) == 1


async def test_a_refused_token_is_renewed_once_and_the_conversation_goes_on(visitor: Visitor, server: StandIn) -> None:
    await visitor.ask("How do I return something?")
    server.revoked.add(server.frames("hello")[-1]["token"])
    await server.cut()
    await until(lambda: bool(server.session.sockets))
    await visitor.ask("退款")
    assert len(server.sessions) == 1
    await expect(visitor.messages).to_have_count(4)


async def test_a_close_that_forbids_coming_back_offers_a_new_conversation(visitor: Visitor, server: StandIn) -> None:
    await visitor.ask("How do I return something?")
    await server.cut(4003)
    await expect(visitor.status).to_contain_text("You can start a new one.")
    await visitor.page.get_by_role("button", name="Start a new conversation").click()
    await visitor.online()
    await expect(visitor.messages).to_have_count(0)
    assert len(server.sessions) == 2
    await visitor.ask("退款")


async def test_a_long_conversation_opens_at_its_end_and_is_read_back_on_demand(
    browser: Browser, server: StandIn
) -> None:
    async with visiting(browser, server) as visitor:
        for n in range(350):
            await server.says(f"Line {n}", "Ann")
        await expect(visitor.messages).to_have_count(350)
        server.session.epoch = 5  # so that the whole cannot be replayed
        for event in server.session.events:
            event["event"]["epoch"] = 5
        await visitor.page.reload()
        await expect(visitor.messages.last).to_contain_text("Line 349")
        await expect(visitor.messages).to_have_count(100)
        await expect(visitor.messages.last).to_be_in_viewport()
        await visitor.page.get_by_role("button", name="Show earlier messages").click()
        await expect(visitor.messages).to_have_count(200)
        await expect(visitor.messages.first).to_contain_text("Line 150")


async def test_two_tabs_show_the_same_conversation(visitor: Visitor, server: StandIn) -> None:
    second = Visitor(await visitor.page.context.new_page(), server)
    await second.open()
    await visitor.ask("How do I return something?")
    await expect(second.messages).to_have_count(2)
    assert await second.texts() == await visitor.texts()
