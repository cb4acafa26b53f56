"""What a format is. To add one, add a module to this package that has a `FORMAT`; nothing else needs to know of it.

A team that keeps its formats elsewhere names the module in the entry-point group `parley.knowledge_formats`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parley_knowledge.documents import Draft
from parley_knowledge.ingest.charset import decode
from parley_knowledge.ingest.refusal import Refusal, Refused

MEBIBYTE: Final = 1024 * 1024
TEXT_BYTES: Final = 10 * MEBIBYTE
PACKED_BYTES: Final = 50 * MEBIBYTE  # of a file that is compressed, or mostly pictures
_SCRIPTS: Final = (b"#!", b"<?php")
_PROGRAMS: Final = (b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe")


@dataclass(frozen=True, slots=True)
class Found:
    """A file, and the name that its documents have: the folder it was found in, then the way to it."""

    path: Path
    uri: str

    @property
    def title(self) -> str:
        """What a document is called that has no title of its own."""
        return self.path.stem.replace("_", " ").replace("-", " ").strip() or self.path.name

    def data(self, most: int = TEXT_BYTES) -> bytes:
        """The bytes of the file. Raises Refused when it is no regular file, too large, a script or a program."""
        size = self.path.stat().st_size
        if not self.path.is_file():
            raise Refused("is not a regular file")
        if size > most:
            raise Refused(f"is larger than {most // MEBIBYTE} MB ({size / MEBIBYTE:.1f} MB); split it")
        data = self.path.read_bytes()
        if data.startswith(_SCRIPTS):
            raise Refused("is a script, not a document")
        if data.startswith(_PROGRAMS):
            raise Refused("is binary: a program, not a document")
        return data

    def text(self) -> str:
        """The text of the file in whatever charset. Raises Refused."""
        return decode(self.data())


@dataclass(frozen=True, slots=True)
class Format:
    """How files of some suffixes become documents.

    `read` raises Refused, or yields a Refusal for what it has to leave out. A `confined` one is read in a process of
    its own with limits, whatever it does there; only what cannot blow up is read without.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Found], Iterable[Draft | Refusal]]
    confined: bool = True
