"""Between our values and the contracts: the only place, besides gRPC and the intake's facts, that knows both."""

from parley.contracts.v1 import MediaRef, Sticker, StoreMediaRequest
from parley.core import SessionId, TenantId
from parley_media.media import Media, Rendition, Upload
from parley_media.stickers import RecommendedSticker


def to_upload(request: StoreMediaRequest) -> Upload:
    """What a request holds."""
    return Upload(
        tenant=TenantId(request.tenant_id),
        session=SessionId(request.session_id),
        file_name=request.file_name,
        declared_type=request.declared_type,
        content=request.content,
    )


def to_ref(media: Media, rendition: Rendition | None = None) -> MediaRef:
    """How messages speak of a picture; type and size are those of `rendition`, the master by default."""
    shown = rendition or media.master
    return MediaRef(
        media_id=media.media_id,
        mime_type=shown.mime_type,
        width=media.width,
        height=media.height,
        size=shown.size,
        url=f"/v1/media/{media.media_id}",
        name=media.name,
    )


def to_sticker(sticker: RecommendedSticker) -> Sticker:
    """One recommended sticker."""
    return Sticker(media_id=sticker.media_id, label=sticker.label, score=sticker.score)
