"""What can be read in a picture. Without a recogniser nothing is said of it."""

from parley_media.recognise.command import CommandRecogniser
from parley_media.recognise.port import UNAVAILABLE, NoRecogniser, Recogniser, Recognition

__all__ = ["UNAVAILABLE", "CommandRecogniser", "NoRecogniser", "Recogniser", "Recognition"]
