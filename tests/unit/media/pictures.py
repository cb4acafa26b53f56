"""Pictures for tests: whole ones, and ones that mean harm."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin

ENDINGS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif"}
MIME_TYPES = {name: f"image/{name.lower()}" for name in ENDINGS}
ORIENTATION, GPS, MAKER = 0x0112, 0x8825, 0x010F
SECRET = "王小明的家"


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    into = BytesIO()
    picture.save(into, kind, **options)
    return into.getvalue()


def a_photo(width: int = 320, height: int = 240) -> Image.Image:
    """Many colours, soft: red at the left, blue at the right, darker towards the bottom."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (across.point(lambda v: 255 - v), down, across))


def a_drawing(width: int = 320, height: int = 240) -> Image.Image:
    """Two colours: a red bar at the left of white."""
    picture = Image.new("RGB", (width, height), "white")
    picture.paste((200, 0, 0), (0, 0, width // 4, height))
    return picture


def a_cutout(width: int = 320, height: int = 240) -> Image.Image:
    """Half transparent."""
    picture = a_drawing(width, height).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize((width, height)))
    return picture


def noise(width: int, height: int) -> Image.Image:
    grey = Image.effect_noise((width, height), 90)
    return Image.merge(
        "RGB", (grey, grey.transpose(Image.Transpose.ROTATE_180), grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    )


def frames(count: int, width: int = 60, height: int = 40) -> list[Image.Image]:
    return [Image.new("RGB", (width, height), (n * 37 % 256, n * 11 % 256, 90)) for n in range(count)]


def an_animation(kind: str, count: int = 5, width: int = 60, height: int = 40, **options: Any) -> bytes:
    first, *rest = frames(count, width, height)
    return saved(first, kind, save_all=True, append_images=rest, duration=120, loop=0, **options)


def a_whole(kind: str) -> bytes:
    return saved(a_photo(), kind)


def with_metadata(kind: str, orientation: int = 1) -> bytes:
    """EXIF with a maker and a place, an ICC profile, XMP, and a comment where the format has one."""
    exif = Image.Exif()
    exif[MAKER] = SECRET
    exif[ORIENTATION] = orientation
    exif.get_ifd(GPS)[2] = (31.0, 13.0, 49.0)
    options: dict[str, Any] = {
        "exif": exif,
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    }
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("Author", SECRET)
        texts.add_text("Comment", "secret-place")
        options["pnginfo"] = texts
    elif kind == "GIF":
        options = {"comment": SECRET.encode()}
    else:
        options["xmp"] = f"<x:xmpmeta>{SECRET}</x:xmpmeta>".encode()
    if kind == "JPEG":
        options["comment"] = SECRET.encode()
    return saved(a_drawing(), kind, **options)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def a_png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds almost nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0")) + _chunk(b"IEND", b"")


def a_png_bomb(width: int = 9000, height: int = 9000) -> bytes:
    """81 million white pixels in about 240 KB."""
    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * (width * 3)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def a_gif_header(width: int, height: int) -> bytes:
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0, 0, 0)
        + b"\x2c"
        + struct.pack("<HHHHB", 0, 0, width, height, 0)
        + b"\x02\x01\x44\x00\x3b"
    )


def a_gif_of(count: int) -> bytes:
    """`count` frames of one pixel, twenty-odd bytes each."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + frame * count + b"\x3b"


def a_webp_header(width: int, height: int) -> bytes:
    """An animated WebP that claims a canvas and holds no frame."""
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    vp8x = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas
    anim = b"ANIM" + struct.pack("<I", 6) + b"\0" * 6
    body = b"WEBP" + vp8x + anim
    return b"RIFF" + struct.pack("<I", len(body)) + body
