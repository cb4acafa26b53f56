"""Where pictures are kept: the port, and a folder."""

from parley_media.blobs.folder import FolderBlobs, open_blobs
from parley_media.blobs.port import Blobs

__all__ = ["Blobs", "FolderBlobs", "open_blobs"]
