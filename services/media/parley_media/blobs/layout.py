"""Paths below the store's folder. Only ids of ours become part of a path, so that none can lead elsewhere."""

import hashlib
import re
from pathlib import Path, PurePosixPath

from parley.core import TenantId
from parley_media.media import Rendition

ABOUT = "about.json"
_MEDIA_ID = re.compile(r"med_[0-9a-v]{24}")
_PLAIN_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def is_media_id(text: str) -> bool:
    """Whether `text` can be the id of a picture."""
    return _MEDIA_ID.fullmatch(text) is not None


def folder_of(tenant: TenantId, media_id: str) -> PurePosixPath:
    """`tenant/ab/cd/med_…abcd`: the last, random characters fan out over 1,048,576 folders."""
    assert is_media_id(media_id)
    return PurePosixPath(tenant_folder(tenant), media_id[-4:-2], media_id[-2:], media_id)


def tenant_folder(tenant: TenantId) -> str:
    """The tenant's own name where it is plain, else a digest of it."""
    if _PLAIN_TENANT.fullmatch(tenant):
        return tenant
    return "~" + hashlib.blake2b(tenant.encode(), digest_size=16).hexdigest()


def file_of(rendition: Rendition) -> str:
    """`webp` of image/webp."""
    return rendition.mime_type.removeprefix("image/")


def below(root: Path, folder: PurePosixPath) -> Path:
    """As a path of this machine."""
    return root.joinpath(*folder.parts)
