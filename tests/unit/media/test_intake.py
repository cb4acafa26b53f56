"""What the intake does when others fail."""

import asyncio
from pathlib import Path

import pytest

from parley.bus import Event
from parley.core import BusUnavailable, SessionId, SystemClock, TenantId
from parley_media.blobs import open_blobs
from parley_media.inspect import open_decoders
from parley_media.intake import Intake
from parley_media.media import Upload
from parley_media.refusals import Refused
from parley_media.settings import MediaSettings
from tests.unit.media.pictures import a_whole


async def no_broker(event: Event) -> None:
    raise BusUnavailable("the broker does not answer")


def an_upload(content: bytes) -> Upload:
    return Upload(TenantId("demo"), SessionId("ses_1"), "图片.png", "image/png", content)


async def test_without_a_broker_a_good_picture_is_not_acknowledged_and_a_bad_one_is_still_refused(
    tmp_path: Path,
) -> None:
    clock = SystemClock()
    async with open_blobs(f"file://{tmp_path}") as blobs, open_decoders(MediaSettings(), clock) as decoders:
        intake = Intake(decoders, blobs, clock, no_broker)
        with pytest.raises(BusUnavailable):
            await intake.store(an_upload(a_whole("PNG")))
        with pytest.raises(Refused):
            await intake.store(an_upload(a_whole("JPEG")))


async def test_many_uploads_at_once_get_an_id_each(tmp_path: Path) -> None:
    told: list[Event] = []

    async def tell(event: Event) -> None:
        told.append(event)

    clock = SystemClock()
    async with open_blobs(f"file://{tmp_path}") as blobs, open_decoders(MediaSettings(), clock) as decoders:
        intake = Intake(decoders, blobs, clock, tell)
        kept = await asyncio.gather(*(intake.store(an_upload(a_whole("PNG"))) for _ in range(10)))
        assert len({media.media_id for media in kept}) == 10
        assert [await blobs.about(TenantId("demo"), media.media_id) for media in kept] == kept
    assert len(told) == 20
