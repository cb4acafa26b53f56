"""Pictures: added by button, paste and drop; refused with a reason; shown without moving anything."""

import base64
import io

import pytest
from PIL import Image
from playwright.async_api import FilePayload, expect

from tests.browser.stand_in import StandIn
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def a_picture(width: int = 640, height: int = 480, name: str = "收据.png") -> FilePayload:
    """A small valid PNG."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}


HAND_OVER = """([node, kind, name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const facts = { bubbles: true, cancelable: true };
  const target = document.querySelector(node);
  if (kind === "paste") target.dispatchEvent(new ClipboardEvent("paste", { ...facts, clipboardData: transfer }));
  else target.dispatchEvent(new DragEvent(kind, { ...facts, dataTransfer: transfer }));
}"""


async def hand_over(visitor: Visitor, kind: str, node: str, file: FilePayload) -> None:
    content = base64.b64encode(file["buffer"]).decode()
    await visitor.page.evaluate(HAND_OVER, [node, kind, file["name"], file["mimeType"], content])


async def choose(visitor: Visitor, *files: FilePayload) -> None:
    async with visitor.page.expect_file_chooser() as chooser:
        await visitor.page.get_by_role("button", name="Add a picture").click()
    await (await chooser.value).set_files(list(files))


async def test_a_picture_added_by_button_is_sent_and_keeps_its_place(visitor: Visitor, server: StandIn) -> None:
    server.silent = True
    await choose(visitor, a_picture(1200, 900))
    await expect(visitor.page.locator(".chip[data-state=ready]")).to_have_count(1)
    await visitor.write("收据在这里")
    image = visitor.page.locator(".stored .visitor .picture img")
    await expect(image).to_have_attribute("width", "320")
    await expect(image).to_have_attribute("height", "240")
    await expect(visitor.page.locator(".chip")).to_have_count(0)
    media_id = server.frames("send")[0]["media_ids"][0]
    assert server.session.events[0]["event"]["message"]["media"][0]["media_id"] == media_id


async def test_a_pasted_picture_can_be_sent_without_words(visitor: Visitor, server: StandIn) -> None:
    server.silent = True
    await hand_over(visitor, "paste", "#message", a_picture())
    await expect(visitor.page.locator(".chip[data-state=ready]")).to_have_count(1)
    await visitor.page.get_by_role("button", name="Send", exact=True).click()
    await expect(visitor.page.locator(".stored .visitor .picture")).to_have_count(1)


async def test_a_dropped_picture_is_added(visitor: Visitor) -> None:
    await hand_over(visitor, "dragover", "#log", a_picture())
    await expect(visitor.status).to_have_text("Drop the picture to add it")
    await hand_over(visitor, "drop", "#log", a_picture())
    await expect(visitor.page.locator(".chip[data-state=ready]")).to_have_count(1)
    await expect(visitor.page.locator(".composer.dropping")).to_have_count(0)


async def test_a_message_waits_for_its_picture(visitor: Visitor, server: StandIn) -> None:
    server.silent = True
    server.uploads.clear()
    await choose(visitor, a_picture())
    await visitor.write("with a picture")
    await expect(visitor.status).to_contain_text("The picture is still on its way.")
    assert server.frames("send") == []
    server.uploads.set()
    await expect(visitor.page.locator(".stored .visitor .picture")).to_have_count(1)
    assert [send["text"] for send in server.frames("send")] == ["with a picture"]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ({"name": "notes.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"}, "only JPEG, PNG, WebP and GIF"),
        ({"name": "big.png", "mimeType": "image/png", "buffer": bytes(5 * 1024 * 1024 + 1)}, "larger than 5 MB"),
        ({"name": "fake.png", "mimeType": "image/png", "buffer": b"not a picture"}, "only JPEG, PNG, WebP and GIF"),
    ],
)
async def test_a_refused_file_is_named_with_the_reason(visitor: Visitor, file: FilePayload, words: str) -> None:
    await choose(visitor, file)
    await expect(visitor.status).to_contain_text(f"{file['name']} was not added")
    await expect(visitor.status).to_contain_text(words)
    await expect(visitor.page.locator(".chip")).to_have_count(0)


async def test_a_fifth_picture_is_refused(visitor: Visitor) -> None:
    await choose(visitor, *[a_picture(name=f"{n}.png") for n in range(5)])
    await expect(visitor.page.locator(".chip")).to_have_count(4)
    await expect(visitor.status).to_contain_text("4.png was not added: a message holds up to 4 pictures.")


async def test_an_upload_that_was_lost_is_kept_and_can_be_tried_again(visitor: Visitor, server: StandIn) -> None:
    server.upload_status = 503
    await choose(visitor, a_picture(name="a.png"))
    await expect(visitor.status).to_have_text("a.png did not reach us. It is kept here; try again.")
    server.upload_status = 0
    await visitor.page.get_by_role("button", name="Try again").click()
    await expect(visitor.page.locator(".chip[data-state=ready]")).to_have_count(1)
    await visitor.page.get_by_role("button", name="Remove picture a.png").click()
    await expect(visitor.page.locator(".chip")).to_have_count(0)


async def test_a_picture_of_a_colleague_arrives_without_moving_anything(visitor: Visitor, server: StandIn) -> None:
    await visitor.page.evaluate(
        """new PerformanceObserver((list) => { window.shifts = (window.shifts ?? 0) + list.getEntries().length; })
           .observe({type: "layout-shift", buffered: false})"""
    )
    picture = a_picture(300, 200)
    media = server.add_picture(picture["buffer"])
    await server.says("这样的吗？", "王敏", media=[media])
    image = visitor.page.locator(".person .picture img")
    await expect(image).to_have_js_property("naturalWidth", 300)
    box = await image.bounding_box()
    assert box
    assert (round(box["width"]), round(box["height"])) == (300, 200)
    assert not await visitor.page.evaluate("window.shifts ?? 0")
