"""Why an upload is refused: a code for programs, a sentence for people that says what to do."""

from enum import StrEnum

from parley.core import Invalid


class Code(StrEnum):
    """The machine-readable reason; it stands before the colon of a refusal's text."""

    NO_FILE = "no_file"
    TOO_LARGE = "too_large"
    UNSUPPORTED_TYPE = "unsupported_type"
    TYPE_MISMATCH = "type_mismatch"
    NOT_AN_IMAGE = "not_an_image"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_FRAMES = "too_many_frames"
    TOO_COMPLEX = "too_complex"


BEYOND_A_LIMIT = frozenset({Code.TOO_LARGE, Code.TOO_MANY_PIXELS, Code.TOO_MANY_FRAMES, Code.TOO_COMPLEX})


class Refused(Invalid):
    """This upload will never be taken; its text is `code: sentence`."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
