"""The port of the blob store."""

from collections.abc import Mapping
from typing import Protocol

from parley.core import TenantId
from parley_media.media import Media, Rendition


class Blobs(Protocol):
    """Asked by the intake and by gRPC. Every call may wait for a disk; none blocks the event loop.

    Whatever it cannot do now is Unavailable.
    """

    async def put(self, media: Media, contents: Mapping[Rendition, bytes]) -> None:
        """Keep a picture, all of it or nothing; on return it survives a crash."""
        ...

    async def about(self, tenant: TenantId, media_id: str) -> Media:
        """What is known of a picture. Raises NotFound, also for an id that is another tenant's or none at all."""
        ...

    async def read(self, media: Media, rendition: Rendition) -> bytes:
        """The bytes of one rendition. Raises NotFound when they are gone."""
        ...

    async def check(self) -> str:
        """Why nothing can be stored now; empty when all is well."""
        ...
