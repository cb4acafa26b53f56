"""From bytes to upright pixels in sRGB, with nothing else left of the file."""

import contextlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image, ImageCms, ImageOps, ImageSequence, JpegImagePlugin, UnidentifiedImageError

from parley_media.transcode.gif import count_frames
from parley_media.transcode.limits import Limits
from parley_media.transcode.problems import NOT_AN_IMAGE, SAVE_AGAIN, TOO_MANY_FRAMES, TOO_MANY_PIXELS, Unusable

DEFAULT_FRAME_MS = 100
_SRGB = ImageCms.createProfile("sRGB")


def open_picture(content: bytes, format_name: str, limits: Limits) -> Image.Image:
    """Read the header and hold it against the limits; no pixel is decoded yet. Raises Unusable."""
    Image.MAX_IMAGE_PIXELS = limits.pixels
    try:
        picture = Image.open(BytesIO(content), formats=[format_name])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(limits) from None
    except UnidentifiedImageError:
        raise Unusable(NOT_AN_IMAGE, f"the file is no whole {format_name} picture; {SAVE_AGAIN}") from None
    width, height = picture.size
    if width * height > limits.pixels or max(width, height) > limits.edge:
        raise _too_many_pixels(limits)
    count = count_frames(content, limits.frames) if format_name == "GIF" else frame_count(picture)
    _check_frames(count, width * height, limits)
    return picture


def frame_count(picture: Image.Image) -> int:
    """Frames of an animation. A phone's JPEG may hold further pictures (MPO); they are not frames."""
    return 1 if picture.format in {"JPEG", "MPO"} else int(getattr(picture, "n_frames", 1))


def still(picture: Image.Image) -> Image.Image:
    """The one picture: turned upright by its EXIF, in sRGB, as L, RGB or RGBA, without metadata."""
    picture.load()
    return _plain(_upright(picture))


def jpeg_tables(picture: Image.Image) -> dict[str, Any] | None:
    """How finely a JPEG was quantised, so that it is encoded again neither coarser nor larger; None for others."""
    if not isinstance(picture, JpegImagePlugin.JpegImageFile):
        return None
    sampling = JpegImagePlugin.get_sampling(picture)
    return {"qtables": picture.quantization, "subsampling": sampling if sampling >= 0 else 2}


def frames(picture: Image.Image) -> Iterator[tuple[Image.Image, int]]:
    """Each frame, whole, as RGBA, with the milliseconds that it is shown."""
    for frame in ImageSequence.Iterator(picture):
        whole = frame.convert("RGBA")
        whole.info = {}
        yield whole, int(frame.info.get("duration", 0)) or DEFAULT_FRAME_MS  # WebP knows it once the frame is loaded


def _plain(picture: Image.Image) -> Image.Image:
    profile = picture.info.get("icc_profile")
    plain = _eight_bit(picture)
    if profile:
        plain = _in_srgb(plain, profile)
    if plain.mode not in {"L", "RGB", "RGBA"}:
        plain = plain.convert("RGBA" if plain.has_transparency_data else "RGB")
    elif plain.mode != "RGBA" and plain.has_transparency_data:
        plain = plain.convert("RGBA")
    plain.info = {}
    if plain.mode == "RGBA" and plain.getchannel("A").getextrema()[0] == 255:
        return plain.convert("RGB")
    return plain


def _eight_bit(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return picture.convert("L") if picture.mode == "1" else picture


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """The colours as its profile means them, since the profile goes; a broken profile is left out of account."""
    if picture.mode not in {"RGB", "RGBA", "CMYK"}:
        return picture
    with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.profileToProfile(picture, source, _SRGB, outputMode=mode) or picture
    return picture


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 - EXIF is a stranger's data; broken, it says nothing about the picture
        return picture


def _check_frames(count: int, pixels: int, limits: Limits) -> None:
    if count > 1 and (count > limits.frames or count * pixels > limits.frames_pixels):
        raise Unusable(
            TOO_MANY_FRAMES,
            f"the animation has too many frames; send one of at most {limits.frames} frames, or a smaller one",
        )


def _too_many_pixels(limits: Limits) -> Unusable:
    millions = limits.pixels // 1_000_000
    return Unusable(
        TOO_MANY_PIXELS,
        f"the picture has more than {millions} million pixels or an edge over {limits.edge}; make it smaller",
    )
