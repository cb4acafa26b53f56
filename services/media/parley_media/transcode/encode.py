"""Which encodings are kept of a picture: WebP first, then one that every client and channel can show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image

from parley_media.transcode.limits import Limits
from parley_media.transcode.problems import TOO_LARGE, Unusable

WEBP_PIXELS = 12_500_000  # beyond them a second encoding costs more time than it saves
WEBP_FRAMES_PIXELS = 20_000_000
WEBP_EDGE = 16_383  # the format's own limit
WORTH_KEEPING = 0.9  # of the fallback's size
GRAPHIC_COLOURS = 4096  # a drawing or a screenshot has fewer in the sample, a photograph more
SAMPLE = (256, 256)
PNG_FAST_PIXELS = 4_000_000
MOST_COLOURS = 255  # of a GIF's frame, besides what is transparent
EXACT_FRAMES_PIXELS = 10_000_000


@dataclass(frozen=True, slots=True)
class Encoded:
    """One finished encoding."""

    mime_type: str
    content: bytes


def encode_still(picture: Image.Image, *, tables: dict[str, Any] | None, limits: Limits) -> list[Encoded]:
    """WebP where it is smaller, then JPEG or PNG by content. Raises Unusable when nothing fits the limit.

    `tables` are those of a source that was JPEG itself.
    """
    graphic = tables is None and is_graphic(picture)
    kind = fallback_for(transparent=picture.mode == "RGBA", graphic=graphic)
    fallback = _png(picture) if kind == "PNG" else _jpeg(picture, tables, limits.result_bytes)
    return _kept(_webp(picture, lossless=graphic), fallback, limits)


def encode_animation(frames: Sequence[tuple[Image.Image, int]], *, limits: Limits) -> list[Encoded]:
    """Animated WebP where it is smaller, then GIF. Raises Unusable when neither fits the limit."""
    width, height = frames[0][0].size
    pixels = len(frames) * width * height
    gif = _gif(frames, exact=pixels <= EXACT_FRAMES_PIXELS)
    webp = _animated_webp(frames) if pixels <= WEBP_FRAMES_PIXELS or len(gif.content) > limits.result_bytes else None
    return _kept(webp, gif, limits)


def fallback_for(*, transparent: bool, graphic: bool) -> str:
    """What every client and channel can show: PNG keeps transparency and sharp edges, JPEG is for photographs."""
    return "PNG" if transparent or graphic else "JPEG"


def is_graphic(picture: Image.Image) -> bool:
    """Whether a sample of its pixels has few colours."""
    step = picture.resize(SAMPLE, Image.Resampling.NEAREST) if picture.width * picture.height > 65536 else picture
    return step.getcolors(GRAPHIC_COLOURS) is not None


def _kept(webp: Encoded | None, fallback: Encoded, limits: Limits) -> list[Encoded]:
    fits = len(fallback.content) <= limits.result_bytes
    if webp and len(webp.content) <= limits.result_bytes:
        if not fits:
            return [webp]
        if len(webp.content) <= WORTH_KEEPING * len(fallback.content):
            return [webp, fallback]
    if not fits:
        raise Unusable(TOO_LARGE, "the picture is larger than 5 MB once it is encoded anew; make it smaller")
    return [fallback]


def _jpeg(picture: Image.Image, tables: dict[str, Any] | None, limit: int) -> Encoded:
    for options in (tables or {"quality": 88}, {"quality": 75}, {"quality": 60}):
        content = _saved(picture, "JPEG", **options)
        if len(content) <= limit:
            break
    return Encoded("image/jpeg", content)


def _png(picture: Image.Image) -> Encoded:
    level = 6 if picture.width * picture.height <= PNG_FAST_PIXELS else 2
    return Encoded("image/png", _saved(picture, "PNG", compress_level=level))


def _webp(picture: Image.Image, *, lossless: bool) -> Encoded | None:
    if max(picture.size) > WEBP_EDGE or picture.width * picture.height > WEBP_PIXELS:
        return None
    quality = 50 if lossless else 80  # effort, when lossless
    return Encoded("image/webp", _saved(picture, "WEBP", quality=quality, method=2, lossless=lossless))


def _gif(frames: Sequence[tuple[Image.Image, int]], *, exact: bool) -> Encoded:
    paletted = (_paletted(frame, exact=exact) for frame, _ in frames)
    return Encoded("image/gif", _animated(paletted, frames, "GIF", optimize=False, disposal=2))


def _paletted(frame: Image.Image, *, exact: bool) -> Image.Image:
    """As palette indices, with one more for what is transparent. Octree takes a tenth of the time of exact colours."""
    opaque = frame.convert("RGB")
    colours = opaque.getcolors(MOST_COLOURS) if exact else None
    if colours is None:
        paletted = opaque.quantize(MOST_COLOURS, method=Image.Quantize.FASTOCTREE)
    else:
        paletted = opaque.quantize(palette=_palette_of(colours), dither=Image.Dither.NONE)
    clear = frame.getchannel("A").point(lambda alpha: 0 if alpha & 0x80 else 255)
    return _cleared(paletted, clear) if clear.getbbox() else paletted


def _palette_of(colours: list[tuple[int, Any]]) -> Image.Image:
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for _, colour in colours for value in colour])
    return palette


def _cleared(paletted: Image.Image, clear: Image.Image) -> Image.Image:
    palette = paletted.getpalette() or []
    index = len(palette) // 3
    paletted.putpalette([*palette, 0, 0, 0])
    paletted.paste(index, (0, 0, *paletted.size), clear)
    paletted.info["transparency"] = index
    return paletted


def _animated_webp(frames: Sequence[tuple[Image.Image, int]]) -> Encoded:
    pictures = (frame for frame, _ in frames)
    return Encoded("image/webp", _animated(pictures, frames, "WEBP", quality=75, method=0))


def _animated(
    pictures: Iterator[Image.Image], frames: Sequence[tuple[Image.Image, int]], kind: str, **options: Any
) -> bytes:
    first = next(pictures)
    shown = [milliseconds for _, milliseconds in frames]
    return _saved(first, kind, save_all=True, append_images=pictures, duration=shown, loop=0, **options)


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    into = BytesIO()
    picture.save(into, kind, **options)
    return into.getvalue()
