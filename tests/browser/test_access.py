"""Keyboard, screen readers, languages, colours, small screens, and the page's own policy."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.stand_in import StandIn
from tests.browser.visitor import Visitor, visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FOCUS_IS_VISIBLE = """() => {
  const node = document.activeElement;
  const framed = node.id === "message"; // its frame is the whole composer
  return framed || node === document.body || getComputedStyle(node).outlineStyle !== "none";
}"""
STICKS_OUT = """() => [...document.querySelectorAll("body *")]
  .filter((node) => node.getBoundingClientRect().right > innerWidth + 0.5)
  .map((node) => node.outerHTML.slice(0, 80))"""
WATCH_POLICY = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    violations.push(event.violatedDirective + " " + event.blockedURI));
"""


async def test_enter_never_sends_while_an_input_method_composes(visitor: Visitor, server: StandIn) -> None:
    """Once as browsers say it (isComposing), once as Safari does (keyCode 229 after the composition)."""
    server.silent = True
    await visitor.field.fill("ni hao")
    press = "(node, facts) => node.dispatchEvent(new KeyboardEvent('keydown', {...facts, key: 'Enter', bubbles: true}))"
    for facts in ({"isComposing": True}, {"keyCode": 229}):
        await visitor.field.evaluate(press, facts)
    await expect(visitor.field).to_have_value("ni hao")
    await expect(visitor.own).to_have_count(0)
    await visitor.field.press("Enter")
    await expect(visitor.page.locator(".stored .visitor")).to_have_count(1)
    assert [send["text"] for send in server.frames("send")] == ["ni hao"]


async def test_enter_ends_a_real_composition_and_the_next_one_sends(visitor: Visitor, server: StandIn) -> None:
    server.silent = True
    devtools = await visitor.page.context.new_cdp_session(visitor.page)
    await visitor.field.focus()
    await devtools.send("Input.imeSetComposition", {"text": "tuikuan", "selectionStart": 7, "selectionEnd": 7})
    key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    await devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **key})
    await expect(visitor.own).to_have_count(0)
    await devtools.send("Input.insertText", {"text": "退款"})
    await expect(visitor.field).to_have_value("退款")
    await visitor.field.press("Enter")
    await expect(visitor.page.locator(".stored .visitor .bubble")).to_have_text("退款")


async def test_shift_and_enter_begin_a_new_line(visitor: Visitor, server: StandIn) -> None:
    server.silent = True
    await visitor.field.press_sequentially("one")
    await visitor.field.press("Shift+Enter")
    await visitor.field.press_sequentially("two")
    await visitor.field.press("Enter")
    await expect(visitor.page.locator(".stored .visitor .bubble br")).to_have_count(1)
    assert server.frames("send")[0]["text"] == "one\ntwo"


async def test_a_whole_conversation_by_keyboard_alone(visitor: Visitor) -> None:
    keys = visitor.page.keyboard
    await keys.type("How do I return something?")
    await keys.press("Enter")
    await expect(visitor.answers).to_have_count(1)
    await _tab_to(visitor, ".sources summary", back=True)
    await keys.press("Enter")
    await expect(visitor.page.locator(".sources blockquote")).to_be_visible()
    await _tab_to(visitor, ".machine .trace-link", back=True)
    await keys.press("Enter")
    await expect(visitor.page.locator("#trace .spans")).to_be_visible()
    await keys.press("Escape")
    await expect(visitor.page.locator("#trace")).to_be_hidden()
    await expect(visitor.page.locator(".machine .trace-link")).to_be_focused()
    await _tab_to(visitor, "#message")
    await keys.type("退款")
    await keys.press("Enter")
    await expect(visitor.answers).to_have_count(2)


async def _tab_to(visitor: Visitor, selector: str, *, back: bool = False) -> None:
    """Press Tab until `selector` has the focus; every stop on the way must be visible."""
    for _ in range(30):
        if await visitor.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        await visitor.page.keyboard.press("Shift+Tab" if back else "Tab")
        assert await visitor.page.evaluate(FOCUS_IS_VISIBLE)
    raise AssertionError(f"{selector} is not reached by keyboard")


async def test_a_reply_is_announced_once_when_it_is_complete(visitor: Visitor, server: StandIn) -> None:
    log = visitor.page.get_by_role("log", name="Conversation")
    await expect(log).to_have_attribute("aria-live", "polite")
    server.pause_after = 3
    await visitor.write("How do I return something?")
    await server.halfway()
    await expect(visitor.page.locator(".arriving[aria-live=off] .draft")).to_have_count(1)
    await expect(visitor.page.locator(".stored .machine")).to_have_count(0)
    server.resume.set()
    await expect(visitor.page.locator(".stored .machine")).to_have_count(1)


async def test_every_control_has_a_name_and_is_large_enough(visitor: Visitor) -> None:
    await visitor.ask("compare")
    poor = await visitor.page.evaluate(
        """() => [...document.querySelectorAll("button, summary, textarea, a[href]")]
          .filter((node) => node.offsetParent && !node.matches(".cite, .skip"))
          .filter((node) => {
            const { width, height } = node.getBoundingClientRect();
            const name = node.ariaLabel || node.textContent.trim() || node.labels?.length;
            return !name || width < 44 || height < 44;
          }).map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert poor == []


async def test_a_chinese_browser_gets_a_chinese_page(browser: Browser, server: StandIn) -> None:
    async with visiting(browser, server, locale="zh-CN") as visitor:
        await expect(visitor.page).to_have_title("Parley 在线客服")
        await expect(visitor.field).to_have_attribute("placeholder", "请输入消息")
        answer = await visitor.ask("退款多久到账？")
        await expect(answer.locator(".origin")).to_have_text("引自《退货与退款》第 2 版")
        await expect(answer.locator("time")).to_have_text(re.compile(r"^今天 \d\d:\d\d$"))
        assert server.frames("hello")[0]["locale"] == "zh-CN"
        await server.takeover("王敏")
        await expect(visitor.page.locator("#who")).to_have_text("王敏 · 客服")


async def test_the_language_can_be_changed_and_is_remembered(visitor: Visitor) -> None:
    await visitor.ask("退款多久到账？")
    await visitor.page.get_by_role("button", name="切换到中文").click()
    await expect(visitor.page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(visitor.answers.first.locator(".origin")).to_have_text("引自《退货与退款》第 2 版")
    await expect(visitor.answers.first.locator("time")).to_contain_text("今天")
    await expect(visitor.status).to_have_text("按 Enter 发送，Shift + Enter 换行")
    await visitor.page.reload()
    await expect(visitor.page.get_by_role("heading", name="您好，请问有什么可以帮您？")).to_be_visible()


async def test_both_languages_have_words_for_the_same_things(visitor: Visitor) -> None:
    languages = await visitor.page.evaluate("import('/web/words.js').then(({ languages }) => Object.values(languages))")
    english, chinese = (set(words) for words in languages)
    assert english == chinese
    assert len(english) > 80


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_colours_follow_the_system_and_can_be_chosen(browser: Browser, server: StandIn, scheme: str) -> None:
    async with visiting(browser, server, color_scheme=scheme) as visitor:
        assert await _is_dark(visitor) == (scheme == "dark")
        button = visitor.page.locator(".theme")
        await button.click()
        assert not await _is_dark(visitor)
        await button.click()
        assert await _is_dark(visitor)
        await visitor.page.reload()
        assert await _is_dark(visitor)


async def _is_dark(visitor: Visitor) -> bool:
    colour = await visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour))) < 300


async def test_nothing_scrolls_sideways_at_320_pixels(browser: Browser, server: StandIn) -> None:
    async with visiting(browser, server, viewport={"width": 320, "height": 568}) as visitor:
        await visitor.ask("compare")
        await visitor.page.locator(".sources summary").first.click()
        await server.takeover("Maximiliane Featherstonehaugh-Cholmondeley")
        await server.says("https://example.com/" + "a" * 120, "Maximiliane Featherstonehaugh-Cholmondeley")
        await visitor.write("退款" * 60)
        await expect(visitor.page.locator(".stored .visitor")).to_have_count(2)
        assert await visitor.sideways() <= 0
        tall = "document.documentElement.scrollHeight - innerHeight"
        assert await visitor.page.evaluate(tall) <= 0  # the log scrolls, never the page
        assert await visitor.page.evaluate(STICKS_OUT) == []
        await visitor.page.locator(".machine .trace-link").first.click()
        await expect(visitor.page.locator("#trace .spans")).to_be_visible()
        assert await visitor.page.locator("#trace").evaluate("node => node.scrollWidth - node.clientWidth") <= 0


async def test_the_policy_is_strict_and_never_violated(browser: Browser, server: StandIn) -> None:
    async with visiting(browser, server) as visitor:
        await visitor.page.add_init_script(WATCH_POLICY)
        response = await visitor.page.goto(server.url)
        assert response
        policy = response.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        await visitor.online()
        await visitor.ask("compare")
        await visitor.page.locator(".machine .trace-link").first.click()
        await expect(visitor.page.locator("#trace .spans")).to_be_visible()
        assert await visitor.page.evaluate("window.violations") == []


async def test_the_first_paint_is_fast_and_nothing_shifts_while_loading(visitor: Visitor) -> None:
    await visitor.page.reload()
    await visitor.online()
    facts = await visitor.page.evaluate(
        """() => new Promise((done) => new PerformanceObserver((list) => done({
             paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
             shift: list.getEntries().reduce((sum, entry) => sum + entry.value, 0),
           })).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => done({
             paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime, shift: 0 }), 300))"""
    )
    assert facts["shift"] < 0.02
    assert facts["paint"] < 1_500  # under load of the whole suite; on a quiet machine under 300 ms
