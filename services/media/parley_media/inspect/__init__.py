"""Is an upload the picture that it claims to be? What it says of itself, then a real decode in a separate process."""

from parley_media.inspect.claims import UPLOAD_BYTES, agreed_format
from parley_media.inspect.decoders import Decoders, open_decoders
from parley_media.inspect.names import clean_name

__all__ = ["UPLOAD_BYTES", "Decoders", "agreed_format", "clean_name", "open_decoders"]
