"""The pictures of the README are real screenshots."""

from pathlib import Path

import pytest
from PIL import Image, ImageStat

from tests.browser.screenshots import take
from tests.browser.stand_in import StandIn

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_pictures_are_taken_in_light_and_dark(server: StandIn, tmp_path: Path) -> None:
    pictures = await take(server.url, tmp_path)
    assert [path.name for path in pictures] == ["page-light.png", "page-dark.png", "trace.png"]
    brightness = []
    for path in pictures:
        with Image.open(path) as image:
            brightness.append(ImageStat.Stat(image.convert("L")).mean[0])
    assert brightness[0] > 200 > 80 > brightness[1]
