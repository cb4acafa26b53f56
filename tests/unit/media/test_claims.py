"""What an upload says of itself must agree."""

import pytest

from parley_media.inspect import UPLOAD_BYTES, agreed_format
from parley_media.refusals import Code, Refused
from tests.unit.media.pictures import ENDINGS, MIME_TYPES, a_whole


@pytest.mark.parametrize("kind", ENDINGS)
def test_name_type_and_content_that_agree_are_taken(kind: str) -> None:
    assert agreed_format(f"图片.{ENDINGS[kind]}", MIME_TYPES[kind], a_whole(kind)).name == kind


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("图片.JPEG", "image/jpeg"),
        ("a.jpg", "image/jpg"),
        ("a.jpg", "IMAGE/JPEG; charset=binary"),
        ("a.b.jpeg", "image/pjpeg"),
    ],
)
def test_common_spellings_are_taken(name: str, declared: str) -> None:
    assert agreed_format(name, declared, a_whole("JPEG")).name == "JPEG"


@pytest.mark.parametrize(
    ("name", "declared", "kind", "code"),
    [
        ("a.exe", "image/png", "PNG", Code.UNSUPPORTED_TYPE),
        ("a.svg", "image/svg+xml", "PNG", Code.UNSUPPORTED_TYPE),
        ("png", "image/png", "PNG", Code.UNSUPPORTED_TYPE),
        (".png", "image/png", "PNG", Code.UNSUPPORTED_TYPE),
        ("", "image/png", "PNG", Code.UNSUPPORTED_TYPE),
        ("a.png.", "image/png", "PNG", Code.UNSUPPORTED_TYPE),
        ("a.png", "", "PNG", Code.UNSUPPORTED_TYPE),
        ("a.png", "application/octet-stream", "PNG", Code.UNSUPPORTED_TYPE),
        ("a.png", "text/html", "PNG", Code.UNSUPPORTED_TYPE),
        ("a.png", "image/jpeg", "PNG", Code.TYPE_MISMATCH),
        ("a.png", "image/png", "JPEG", Code.TYPE_MISMATCH),
        ("a.gif", "image/gif", "WEBP", Code.TYPE_MISMATCH),
    ],
)
def test_claims_that_do_not_agree_are_refused(name: str, declared: str, kind: str, code: Code) -> None:
    with pytest.raises(Refused) as refusal:
        agreed_format(name, declared, a_whole(kind))
    assert refusal.value.code is code
    assert str(refusal.value).startswith(f"{code.value}: ")


@pytest.mark.parametrize(
    "content",
    [b"MZ\x90\0" + b"\0" * 100, b"<svg onload='alert(1)'>", b"%PDF-1.7", b"\x89PN", b"RIFF\0\0\0\0WAVE", b"\xff\xd8"],
)
def test_a_program_renamed_to_a_picture_is_refused(content: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        agreed_format("图片.png", "image/png", content)
    assert refusal.value.code is Code.NOT_AN_IMAGE


def test_five_megabytes_are_taken_and_one_byte_more_is_not() -> None:
    content = a_whole("PNG").ljust(UPLOAD_BYTES, b"\0")
    assert len(content) == 5_242_880
    assert agreed_format("a.png", "image/png", content).name == "PNG"
    with pytest.raises(Refused, match=r"^too_large: .*5 MB"):
        agreed_format("a.png", "image/png", content + b"\0")


def test_an_empty_file_is_refused_before_its_name_is_looked_at() -> None:
    with pytest.raises(Refused, match=r"^no_file: "):
        agreed_format("", "", b"")


def test_a_refusal_does_not_repeat_what_a_stranger_wrote() -> None:
    with pytest.raises(Refused) as refusal:
        agreed_format("x.<script>", "<script>", a_whole("PNG"))
    assert "script" not in str(refusal.value)
