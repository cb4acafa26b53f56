"""The settings of media, beyond those that every service shares."""

from typing import ClassVar

from pydantic import Field

from parley.core import Settings


class MediaSettings(Settings):
    """Read from `PARLEY_MEDIA_…`."""

    prefix: ClassVar[str] = "PARLEY_MEDIA_"

    decoders: int = Field(2, ge=1, le=64, description="how many pictures may be decoded at once, from 1 to 64")
    decoder_mb: int = Field(512, ge=256, le=8192, description="MiB that one decoder may use, from 256 to 8192")
    decode_seconds: float = Field(8, gt=0, le=300, description="seconds that one picture may take, up to 300")
    waiting: int = Field(16, ge=0, le=1000, description="how many uploads may wait for a decoder, from 0 to 1000")
    idle_seconds: float = Field(60, gt=0, description="seconds after which an idle decoder is ended")
    ocr_command: str = Field(
        "", description='a program that reads a picture on stdin and prints its text: "tesseract stdin stdout"'
    )
    ocr_seconds: float = Field(10, gt=0, le=300, description="seconds that the OCR program may take, up to 300")
