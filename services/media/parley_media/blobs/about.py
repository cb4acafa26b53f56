"""What the store knows of a picture, as the JSON file beside its bytes."""

import json
from dataclasses import asdict

from parley.core import SessionId, TenantId
from parley_media.media import Media, Rendition


def to_json(media: Media) -> bytes:
    """The file's content."""
    return json.dumps(asdict(media), ensure_ascii=False).encode()


def from_json(content: bytes) -> Media:
    """Read it back; fields of later releases are ignored. Raises ValueError, KeyError or TypeError when damaged."""
    known = json.loads(content)
    return Media(
        media_id=str(known["media_id"]),
        tenant=TenantId(str(known["tenant"])),
        session=SessionId(str(known["session"])),
        name=str(known["name"]),
        width=int(known["width"]),
        height=int(known["height"]),
        frames=int(known["frames"]),
        stored_at=float(known["stored_at"]),
        renditions=tuple(Rendition(str(r["mime_type"]), int(r["size"])) for r in known["renditions"]),
    )
