"""Office files are zip archives: what is looked at before anybody unpacks one."""

import zipfile
from typing import Final

from parley_knowledge.ingest.formats.port import MEBIBYTE, PACKED_BYTES, Found
from parley_knowledge.ingest.refusal import Refused

_OLE: Final = b"\xd0\xcf\x11\xe0"
MOST_PARTS: Final = 10_000
MOST_UNPACKED: Final = 300 * MEBIBYTE
MOST_RATIO: Final = 200  # unpacked to packed; text alone rarely passes 30
SMALL: Final = 10 * MEBIBYTE  # unpacked; whatever its ratio, it harms nobody


def check_office(found: Found, part: str) -> None:
    """Raise Refused unless it is an archive that holds `part`, is not encrypted and no bomb."""
    if found.data(PACKED_BYTES).startswith(_OLE):
        raise Refused("is encrypted, or in the form of Office 2003; save it anew, without a password")
    try:
        with zipfile.ZipFile(found.path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise Refused(f"is broken or not what its name says: {error}") from None
    unpacked, packed = sum(one.file_size for one in parts), sum(one.compress_size for one in parts)
    if len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED or (unpacked > SMALL and unpacked > MOST_RATIO * packed):
        raise Refused(f"unpacks to {unpacked // MEBIBYTE} MB in {len(parts)} parts: a zip bomb")
    if any(one.flag_bits & 1 for one in parts):
        raise Refused("is encrypted; save it without a password")
    if part not in {one.filename for one in parts}:
        raise Refused(f"is not what its name says: it holds no {part}")
