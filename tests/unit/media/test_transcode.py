"""What becomes of a picture inside the decoder process; called here directly."""

import json
import struct
from io import BytesIO

import pytest
from PIL import Image

from parley_media.transcode.encode import Encoded
from parley_media.transcode.limits import LIMITS, Limits
from parley_media.transcode.problems import Unusable
from parley_media.transcode.wire import LENGTH
from parley_media.transcode.worker import answer, transcode
from tests.unit.media.pictures import (
    ENDINGS,
    SECRET,
    a_cutout,
    a_drawing,
    a_gif_header,
    a_gif_of,
    a_photo,
    a_png_bomb,
    a_png_header,
    a_webp_header,
    a_whole,
    an_animation,
    noise,
    saved,
    with_metadata,
)


def types_of(encoded: list[Encoded]) -> list[str]:
    return [each.mime_type.removeprefix("image/") for each in encoded]


def opened(encoded: Encoded) -> Image.Image:
    return Image.open(BytesIO(encoded.content))


def refused(content: bytes, kind: str, limits: Limits = LIMITS) -> str:
    """The code with which the decoder process would refuse it."""
    reply = answer(content, kind, limits)
    (length,) = LENGTH.unpack(reply[:4])
    return str(json.loads(reply[4 : 4 + length]).get("refused", "taken"))


@pytest.mark.parametrize("kind", ENDINGS)
def test_every_format_is_encoded_anew_in_its_own_size(kind: str) -> None:
    header, encoded = transcode(a_whole(kind), kind, LIMITS)
    assert (header["width"], header["height"], header["frames"]) == (320, 240, 1)
    assert header["types"] == [each.mime_type for each in encoded]
    assert all(opened(each).size == (320, 240) for each in encoded)


@pytest.mark.parametrize(
    ("content", "kind", "fallback"),
    [
        (saved(a_photo(), "JPEG"), "JPEG", "jpeg"),
        (saved(a_drawing(), "JPEG"), "JPEG", "jpeg"),
        (saved(noise(300, 300), "PNG"), "PNG", "jpeg"),
        (saved(a_drawing(), "PNG"), "PNG", "png"),
        (saved(a_cutout(), "PNG"), "PNG", "png"),
        (saved(a_cutout(), "WEBP"), "WEBP", "png"),
        (saved(noise(300, 300), "WEBP"), "WEBP", "jpeg"),
        (saved(a_drawing(), "GIF"), "GIF", "png"),
        (an_animation("GIF"), "GIF", "gif"),
        (an_animation("WEBP"), "WEBP", "gif"),
    ],
)
def test_the_fallback_is_chosen_by_content(content: bytes, kind: str, fallback: str) -> None:
    _, encoded = transcode(content, kind, LIMITS)
    assert types_of(encoded)[-1] == fallback


def test_webp_comes_first_where_it_is_smaller() -> None:
    soft = noise(40, 40).resize((400, 400), Image.Resampling.BICUBIC)
    _, encoded = transcode(saved(soft, "PNG"), "PNG", LIMITS)
    assert types_of(encoded) == ["webp", "jpeg"]
    assert len(encoded[0].content) < len(encoded[1].content)


def test_a_drawing_survives_without_loss() -> None:
    _, encoded = transcode(saved(a_drawing(), "PNG"), "PNG", LIMITS)
    for each in encoded:
        assert opened(each).convert("RGB").tobytes() == a_drawing().tobytes()


def test_transparency_survives() -> None:
    _, encoded = transcode(saved(a_cutout(), "PNG"), "PNG", LIMITS)
    for each in encoded:
        assert opened(each).getchannel("A").getpixel((0, 0)) == 0
        assert opened(each).getchannel("A").getpixel((0, 239)) == 255


def test_a_jpeg_does_not_grow_by_being_encoded_again() -> None:
    content = saved(noise(600, 400), "JPEG", quality=40)
    _, encoded = transcode(content, "JPEG", LIMITS)
    assert len(encoded[-1].content) <= 1.02 * len(content)


@pytest.mark.parametrize("kind", ENDINGS)
def test_nothing_but_pixels_remains(kind: str) -> None:
    content = with_metadata(kind)
    assert SECRET.encode() in content
    _, encoded = transcode(content, kind, LIMITS)
    for each in encoded:
        assert SECRET.encode() not in each.content
        assert b"secret-place" not in each.content
        picture = opened(each)
        assert not dict(picture.getexif())
        assert not {"exif", "icc_profile", "xmp", "comment", "Author", "Comment"} & set(picture.info)


@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, "left"), (2, "right"), (3, "right"), (6, "top"), (8, "bottom")]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_turned_as_its_camera_was_held(kind: str, orientation: int, corner: str) -> None:
    header, encoded = transcode(with_metadata(kind, orientation), kind, LIMITS)
    upright = opened(encoded[-1]).convert("RGB")
    width, height = upright.size
    assert (width, height) == ((320, 240) if orientation < 5 else (240, 320)) == (header["width"], header["height"])
    places = {
        "left": (5, height // 2),
        "right": (width - 5, height // 2),
        "top": (width // 2, 5),
        "bottom": (width // 2, height - 5),
    }
    green = upright.getchannel("G").point(lambda value: value // 128)
    red = {side for side, place in places.items() if green.getpixel(place) == 0}
    assert red == {corner}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_spoil_a_picture() -> None:
    content = saved(a_photo(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xee" * 40)
    assert refused(content, "JPEG") == "taken"


def test_a_broken_colour_profile_does_not_spoil_a_picture() -> None:
    assert refused(saved(a_photo(), "PNG", icc_profile=b"no profile"), "PNG") == "taken"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_pixel_is_read(mode: str) -> None:
    picture = Image.new("I;16", (20, 10), 40000) if mode == "I;16" else a_cutout(20, 10).convert(mode)
    _, encoded = transcode(saved(picture, "PNG"), "PNG", LIMITS)
    assert opened(encoded[-1]).size == (20, 10)
    if mode == "I;16":
        assert opened(encoded[-1]).convert("L").getpixel((0, 0)) == 156


def test_a_print_shop_jpeg_is_read() -> None:
    _, encoded = transcode(saved(a_photo().convert("CMYK"), "JPEG"), "JPEG", LIMITS)
    assert opened(encoded[-1]).mode == "RGB"


def test_a_phones_jpeg_that_holds_a_second_picture_is_one_picture() -> None:
    content = saved(a_photo(), "MPO", save_all=True, append_images=[a_drawing()])
    header, encoded = transcode(content, "JPEG", LIMITS)
    assert header["frames"] == 1
    assert len(encoded[-1].content) < len(content)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_keeps_its_frames_and_their_time(kind: str) -> None:
    header, encoded = transcode(an_animation(kind), kind, LIMITS)
    assert header["frames"] == 5
    for each in encoded:
        moving = opened(each)
        assert moving.n_frames == 5  # type: ignore[attr-defined]
        moving.seek(2)
        moving.load()
        assert moving.info["duration"] == 120


@pytest.mark.parametrize("colours", [2, 200, 255])
def test_an_animation_of_few_colours_keeps_them_exactly(colours: int) -> None:
    moving = [noise(40, 30).quantize(colours).convert("RGB") for _ in range(3)]
    content = saved(moving[0], "WEBP", save_all=True, append_images=moving[1:], lossless=True)
    _, encoded = transcode(content, "WEBP", LIMITS)
    shown = opened(encoded[-1])
    for number, frame in enumerate(moving):
        shown.seek(number)
        assert shown.convert("RGB").tobytes() == frame.tobytes()


def test_a_transparent_animation_stays_transparent() -> None:
    shapes = [a_cutout(40, 40).rotate(30 * n) for n in range(3)]
    content = saved(shapes[0], "WEBP", save_all=True, append_images=shapes[1:], duration=80, lossless=True)
    _, encoded = transcode(content, "WEBP", LIMITS)
    alpha = opened(encoded[-1]).convert("RGBA").getchannel("A")
    assert alpha.getpixel((39, 0)) == 0
    assert alpha.getpixel((20, 39)) == 255


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (a_png_header(50_000, 50_000), "PNG"),
        (a_png_header(2**31 - 1, 2**31 - 1), "PNG"),
        (a_png_header(30_001, 2), "PNG"),
        (a_png_header(5001, 5000), "PNG"),
        (a_gif_header(5001, 5000), "GIF"),
        (a_webp_header(16_000, 16_000), "WEBP"),
        (a_gif_header(50_000, 50_000), "GIF"),
        (a_png_bomb(), "PNG"),
    ],
)
def test_too_many_pixels_are_refused_by_the_header(content: bytes, kind: str) -> None:
    assert refused(content, kind) == "too_many_pixels"


def test_a_jpeg_header_that_claims_too_many_pixels_is_refused() -> None:
    content = bytearray(saved(a_photo(16, 16), "JPEG"))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", 60_000, 60_000)
    assert refused(bytes(content), "JPEG") == "too_many_pixels"


@pytest.mark.parametrize("count", [301, 5000, 240_000])
def test_a_gif_of_too_many_frames_is_refused(count: int) -> None:
    assert refused(a_gif_of(count), "GIF") == "too_many_frames"


def test_a_gif_of_just_enough_frames_is_taken() -> None:
    header, _ = transcode(a_gif_of(300), "GIF", LIMITS)
    assert header["frames"] == 300


def test_frames_are_counted_with_their_size() -> None:
    small = Limits(frames_pixels=10_000)
    assert refused(an_animation("GIF", 5), "GIF", small) == "too_many_frames"
    assert refused(an_animation("WEBP", 5), "WEBP", small) == "too_many_frames"
    assert refused(an_animation("GIF", 4), "GIF", small) == "taken"


@pytest.mark.parametrize("kind", ENDINGS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_file_that_is_cut_off_is_refused(kind: str, share: float) -> None:
    whole = saved(noise(64, 64), kind)
    assert refused(whole[: int(len(whole) * share)], kind) == "not_an_image"


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_an_animation_that_is_cut_off_is_refused(kind: str, share: float) -> None:
    whole = an_animation(kind)
    assert refused(whole[: int(len(whole) * share)], kind) == "not_an_image"


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_second_file_behind_the_picture_does_not_get_in(kind: str) -> None:
    payload = b"PK\x03\x04 <script>alert(1)</script> " * 50
    reply = answer(saved(a_drawing(), kind) + payload, kind)
    assert b"<script>" not in reply
    assert b"PK\x03\x04" not in reply


def test_a_format_is_opened_only_under_its_own_name() -> None:
    assert refused(a_whole("JPEG"), "PNG") == "not_an_image"
    assert refused(saved(a_photo(), "TIFF"), "PNG") == "not_an_image"


@pytest.mark.parametrize("kind", ENDINGS)
def test_damage_in_the_middle_never_breaks_the_decoder(kind: str) -> None:
    whole = saved(noise(48, 48), kind)
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        damaged = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        assert refused(damaged, kind) in {"taken", "not_an_image", "too_many_pixels", "too_many_frames"}


def test_a_result_over_the_limit_takes_the_next_best_encoding() -> None:
    content = saved(noise(300, 300).convert("RGBA").rotate(7), "PNG")
    _, encoded = transcode(content, "PNG", Limits(result_bytes=100_000))
    assert types_of(encoded) == ["webp"]


def test_a_picture_that_fits_no_encoding_is_refused() -> None:
    content = saved(noise(300, 300), "PNG")
    with pytest.raises(Unusable) as problem:
        transcode(content, "PNG", Limits(result_bytes=500))
    assert problem.value.code == "too_large"
