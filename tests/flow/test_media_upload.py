"""A picture on its way through media: over gRPC on a real socket, decoded in a real process, kept in a real folder."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable
from io import BytesIO
from pathlib import Path

import grpc
import grpc.aio
import pytest
from PIL import Image

from parley.contracts.v1 import (
    AnalyzeRequest,
    FetchMediaRequest,
    MediaAsyncStub,
    MediaInspected,
    MediaReceived,
    MediaRef,
    MediaStub,
    RecommendStickersRequest,
    StoreMediaRequest,
)
from parley.service.grpc import connect
from parley.testing import TestBench
from parley_media.inspect import UPLOAD_BYTES
from parley_media.service import Deps, service
from tests.unit.media.pictures import (
    ENDINGS,
    MIME_TYPES,
    a_cutout,
    a_gif_of,
    a_png_bomb,
    a_png_header,
    a_whole,
    noise,
    saved,
    with_metadata,
)

SESSION = "ses_王小明"


@pytest.fixture
async def bench() -> AsyncIterator[TestBench[Deps]]:
    async with TestBench(service) as bench:
        yield bench


@pytest.fixture
async def media(bench: TestBench[Deps]) -> AsyncIterator[MediaAsyncStub]:
    async with connect(bench.ctx.settings.grpc_target("media")) as channel:
        yield MediaStub(channel)


def an_upload(content: bytes, name: str = "图片.png", declared: str = "image/png") -> StoreMediaRequest:
    return StoreMediaRequest(
        tenant_id="demo", session_id=SESSION, file_name=name, declared_type=declared, content=content
    )


async def stored(
    media: MediaAsyncStub, content: bytes, name: str = "图片.png", declared: str = "image/png"
) -> MediaRef:
    return (await media.StoreMedia(an_upload(content, name, declared))).media


async def refusal_of(media: MediaAsyncStub, request: StoreMediaRequest) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await media.StoreMedia(request)
    return error.value.code(), error.value.details() or ""


@pytest.mark.parametrize("kind", ENDINGS)
async def test_a_picture_comes_back_as_it_is_described(media: MediaAsyncStub, kind: str) -> None:
    ref = await stored(media, a_whole(kind), f"图片.{ENDINGS[kind]}", MIME_TYPES[kind])
    answer = await media.FetchMedia(FetchMediaRequest(tenant_id="demo", media_id=ref.media_id, session_id=SESSION))
    picture = Image.open(BytesIO(answer.content))
    assert answer.media == ref
    assert picture.size == (ref.width, ref.height) == (320, 240)
    assert Image.MIME[str(picture.format)] == ref.mime_type
    assert len(answer.content) == ref.size
    assert ref.name == f"图片.{ENDINGS[kind]}"
    assert ref.url == f"/v1/media/{ref.media_id}"


async def test_webp_is_given_to_whoever_can_show_it_and_a_fallback_to_everyone_else(media: MediaAsyncStub) -> None:
    soft = noise(40, 40).resize((400, 400), Image.Resampling.BICUBIC)
    ref = await stored(media, saved(soft, "PNG"))
    assert ref.mime_type == "image/jpeg"
    asked = FetchMediaRequest(tenant_id="demo", media_id=ref.media_id, accept=["image/avif", "image/webp", "*/*"])
    answer = await media.FetchMedia(asked)
    assert answer.media.mime_type == "image/webp"
    assert answer.media.size == len(answer.content) < ref.size
    assert Image.open(BytesIO(answer.content)).format == "WEBP"


async def test_where_it_was_taken_and_by_whom_is_gone(media: MediaAsyncStub) -> None:
    ref = await stored(media, with_metadata("JPEG", orientation=6), "我家.jpg", "image/jpeg")
    answer = await media.FetchMedia(FetchMediaRequest(tenant_id="demo", media_id=ref.media_id))
    assert not dict(Image.open(BytesIO(answer.content)).getexif())
    assert (ref.width, ref.height) == (240, 320)


HOSTILE_NAMES = {
    "../../etc/passwd/x.png": "x.png",
    "..\\..\\x.png": "x.png",
    "a\0b.png": "ab.png",
    "\u202egnp.图.png": "gnp.图.png",
    "图" * 4096 + ".png": "图" * 116 + ".png",
}


async def test_a_hostile_name_is_only_ever_shown(media: MediaAsyncStub, bench: TestBench[Deps]) -> None:
    shown = [(await stored(media, a_whole("PNG"), name)).name for name in HOSTILE_NAMES]
    assert shown == list(HOSTILE_NAMES.values())
    files = {file.name for file in (bench.ctx.settings.home / "blobs").rglob("*") if file.is_file()}
    assert files <= {"about.json", "png", "jpeg", "webp"}


@pytest.mark.parametrize(
    ("request_", "code", "reason"),
    [
        (an_upload(b""), grpc.StatusCode.INVALID_ARGUMENT, "no_file"),
        (an_upload(a_whole("PNG").ljust(UPLOAD_BYTES + 1, b"\0")), grpc.StatusCode.RESOURCE_EXHAUSTED, "too_large"),
        (an_upload(a_whole("PNG"), "a.exe"), grpc.StatusCode.INVALID_ARGUMENT, "unsupported_type"),
        (an_upload(a_whole("PNG"), declared="text/html"), grpc.StatusCode.INVALID_ARGUMENT, "unsupported_type"),
        (an_upload(a_whole("JPEG")), grpc.StatusCode.INVALID_ARGUMENT, "type_mismatch"),
        (an_upload(b"MZ" * 100), grpc.StatusCode.INVALID_ARGUMENT, "not_an_image"),
        (an_upload(saved(noise(64, 64), "PNG")[:900]), grpc.StatusCode.INVALID_ARGUMENT, "not_an_image"),
        (an_upload(a_png_header(50_000, 50_000)), grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_pixels"),
        (an_upload(a_png_bomb()), grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_pixels"),
        (an_upload(a_gif_of(5000), "a.gif", "image/gif"), grpc.StatusCode.RESOURCE_EXHAUSTED, "too_many_frames"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_refusal_names_its_reason_and_stores_nothing(
    media: MediaAsyncStub, bench: TestBench[Deps], request_: StoreMediaRequest, code: grpc.StatusCode, reason: str
) -> None:
    got, details = await refusal_of(media, request_)
    assert got is code
    assert details.startswith(f"{reason}: ")
    assert len(details) > len(reason) + 20
    assert not list((bench.ctx.settings.home / "blobs").rglob("med_*"))
    told = [] if reason in {"no_file", "too_large"} else [reason]
    assert [(fact.accepted, fact.reason) for fact in bench.sent(MediaInspected)] == [(False, r) for r in told]


async def test_exactly_five_megabytes_pass_the_door(media: MediaAsyncStub) -> None:
    grey = saved(noise(900, 900), "JPEG")
    ref = await stored(media, grey.ljust(UPLOAD_BYTES, b"\0"), "大图.jpg", "image/jpeg")
    assert ref.size < UPLOAD_BYTES


async def test_a_stored_picture_is_told_to_whoever_observes(media: MediaAsyncStub, bench: TestBench[Deps]) -> None:
    content = a_whole("PNG")
    ref = await stored(media, content)
    (received,) = bench.sent(MediaReceived)
    (inspected,) = bench.sent(MediaInspected)
    assert (received.media_id, received.mime_type, received.size) == (ref.media_id, "image/png", len(content))
    assert inspected.accepted
    assert inspected.media == ref
    assert [(fact.meta.tenant_id, fact.meta.session_id) for fact in (received, inspected)] == [("demo", SESSION)] * 2


async def test_a_picture_of_another_tenant_or_session_is_not_found(media: MediaAsyncStub) -> None:
    ref = await stored(media, a_whole("PNG"))
    for tenant, session in [("other", ""), ("other", SESSION), ("demo", "ses_李娜"), ("../demo", ""), ("DEMO", "")]:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await media.FetchMedia(FetchMediaRequest(tenant_id=tenant, media_id=ref.media_id, session_id=session))
        assert error.value.code() is grpc.StatusCode.NOT_FOUND


async def test_nothing_is_asked_without_a_tenant(media: MediaAsyncStub) -> None:
    calls: list[Awaitable[object]] = [
        media.StoreMedia(StoreMediaRequest(file_name="a.png", declared_type="image/png", content=a_whole("PNG"))),
        media.FetchMedia(FetchMediaRequest(media_id="med_1")),
        media.Analyze(AnalyzeRequest(media_id="med_1")),
        media.RecommendStickers(RecommendStickersRequest(text="你好")),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError, match="tenant_id is empty") as error:
            await call
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_without_a_recogniser_an_analysis_holds_facts_and_no_guess(media: MediaAsyncStub) -> None:
    ref = await stored(media, saved(a_cutout(), "PNG"))
    answer = await media.Analyze(AnalyzeRequest(tenant_id="demo", media_id=ref.media_id))
    assert answer.media == ref
    assert (answer.description, answer.text, answer.method) == ("", "", "unavailable")


async def test_without_an_index_no_sticker_is_recommended(media: MediaAsyncStub) -> None:
    answer = await media.RecommendStickers(RecommendStickersRequest(tenant_id="demo", text="太好了", limit=5))
    assert not answer.stickers
    assert answer.method == "unavailable"


async def test_a_decoder_that_dies_is_unavailable_once(media: MediaAsyncStub, bench: TestBench[Deps]) -> None:
    await stored(media, a_whole("PNG"))
    (pid,) = bench.ctx.deps.decoders.processes
    os.kill(pid, signal.SIGSTOP)
    upload = media.StoreMedia(an_upload(a_whole("PNG")))
    await bench.until(lambda: _holds_a_picture(pid))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await upload
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert (await stored(media, a_whole("PNG"))).media_id


async def test_a_store_that_fails_acknowledges_nothing(media: MediaAsyncStub, bench: TestBench[Deps]) -> None:
    (bench.ctx.settings.home / "blobs" / ".unfinished").rmdir()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stored(media, a_whole("PNG"))
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert bench.sent(MediaInspected) == []


def _holds_a_picture(pid: int) -> bool:
    """Whether bytes wait in the pipe of a stopped process."""
    import array
    import fcntl
    import termios

    waiting = array.array("i", [0])
    handle = os.open(Path(f"/proc/{pid}/fd/0"), os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(handle, termios.FIONREAD, waiting)
    finally:
        os.close(handle)
    return waiting[0] > 0
