"""Pictures on their way between clients and the media service."""

from collections.abc import Sequence

from parley.contracts.v1 import FetchMediaRequest, FetchMediaResponse, MediaAsyncStub, MediaRef, StoreMediaRequest
from parley_gateway.asking import answer_of

STORE_SECONDS = 20.0
FETCH_SECONDS = 5.0


class MediaDesk:
    """Asks the media service in the name of a tenant."""

    def __init__(self, stub: MediaAsyncStub) -> None:
        self._stub = stub

    async def store(self, tenant: str, session: str, *, name: str, declared_type: str, content: bytes) -> MediaRef:
        """Check and keep one upload. Raises Invalid with the reason, TooLarge, Unavailable."""
        request = StoreMediaRequest(
            tenant_id=tenant, session_id=session, file_name=name, declared_type=declared_type, content=content
        )
        answer = await answer_of(self._stub.StoreMedia(request, timeout=STORE_SECONDS))
        return with_url(answer.media, tenant)

    async def fetch(self, tenant: str, media_id: str, accept: Sequence[str] = ()) -> FetchMediaResponse:
        """The bytes of a picture, in the first of its encodings that `accept` names. Raises NotFound, Unavailable."""
        request = FetchMediaRequest(tenant_id=tenant, media_id=media_id, accept=accept)
        return await answer_of(self._stub.FetchMedia(request, timeout=FETCH_SECONDS))

    async def reference(self, tenant: str, session: str, media_id: str) -> MediaRef:
        """What a message says of a picture that its own session has uploaded. Raises NotFound, Unavailable."""
        request = FetchMediaRequest(tenant_id=tenant, media_id=media_id, session_id=session)
        answer = await answer_of(self._stub.FetchMedia(request, timeout=FETCH_SECONDS))
        return with_url(answer.media, tenant)


def with_url(media: MediaRef, tenant: str) -> MediaRef:
    """The same picture with the path that shows it. Whoever knows the id may see it: ids cannot be guessed."""
    shown = MediaRef()
    shown.CopyFrom(media)
    shown.url = f"/v1/media/{tenant}/{media.media_id}"
    return shown
