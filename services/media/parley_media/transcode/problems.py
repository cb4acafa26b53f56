"""What a decoder can find wrong with a picture. Codes as in `parley_media.refusals`, not loaded in this process."""


class Unusable(Exception):
    """The picture will never be taken."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


SAVE_AGAIN = "save it again in a picture editor and send the new file"
TOO_MANY_PIXELS = "too_many_pixels"
TOO_MANY_FRAMES = "too_many_frames"
TOO_COMPLEX = "too_complex"
TOO_LARGE = "too_large"
NOT_AN_IMAGE = "not_an_image"
