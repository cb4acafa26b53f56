"""From an upload to a stored picture: what it claims, what it is, where it is kept, and what others are told of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from parley.bus import Event
from parley.contracts.v1 import EventMeta, MediaInspected, MediaReceived
from parley.core import BusUnavailable, Clock, new_id
from parley.telemetry import Log, counter, names
from parley_media.blobs import Blobs
from parley_media.inspect import Decoders, agreed_format, clean_name
from parley_media.inspect.decoders import Decoded
from parley_media.media import Media, Rendition, Upload
from parley_media.messages import to_ref
from parley_media.refusals import Code, Refused

UNTOLD = frozenset({Code.NO_FILE, Code.TOO_LARGE})  # refused before anything was received
log = Log("media.intake")


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes uploads in."""

    decoders: Decoders
    blobs: Blobs
    clock: Clock
    publish: Callable[[Event], Awaitable[None]]

    async def store(self, upload: Upload) -> Media:
        """Check, encode anew, store, tell. Raises Refused, or Unavailable: nothing was acknowledged then."""
        media_id = new_id("med")
        try:
            media = await self._inspect_and_keep(upload, media_id)
        except Refused as refusal:
            await self._tell_refusal(upload, media_id, refusal)
            counter(names.UPLOADS, refusal.code.value).inc()
            raise
        await self.publish(_received(upload, media_id))
        await self.publish(MediaInspected(meta=_meta(upload), media_id=media_id, accepted=True, media=to_ref(media)))
        counter(names.UPLOADS, "stored").inc()
        return media

    async def _inspect_and_keep(self, upload: Upload, media_id: str) -> Media:
        name = clean_name(upload.file_name)
        agreed = agreed_format(name, upload.declared_type, upload.content)
        decoded = await self.decoders.decode(upload.content, agreed.name)
        media, contents = _as_media(upload, media_id, name, decoded, self.clock.now())
        await self.blobs.put(media, contents)
        return media

    async def _tell_refusal(self, upload: Upload, media_id: str, refusal: Refused) -> None:
        """A broker that is away does not turn a refusal into a failure: the client is told all the same."""
        if refusal.code in UNTOLD:
            return
        try:
            await self.publish(_received(upload, media_id))
            await self.publish(MediaInspected(meta=_meta(upload), media_id=media_id, reason=refusal.code.value))
        except BusUnavailable:
            log.warning("refusal.not_told", media=media_id, code=refusal.code.value)


def _as_media(
    upload: Upload, media_id: str, name: str, decoded: Decoded, now: float
) -> tuple[Media, dict[Rendition, bytes]]:
    contents = {Rendition(mime_type, len(content)): content for mime_type, content in decoded.renditions}
    media = Media(
        media_id=media_id,
        tenant=upload.tenant,
        session=upload.session,
        name=name,
        width=decoded.width,
        height=decoded.height,
        frames=decoded.frames,
        stored_at=now,
        renditions=tuple(contents),
    )
    return media, contents


def _received(upload: Upload, media_id: str) -> MediaReceived:
    declared = upload.declared_type.partition(";")[0].strip().lower()[:100]
    return MediaReceived(meta=_meta(upload), media_id=media_id, mime_type=declared, size=len(upload.content))


def _meta(upload: Upload) -> EventMeta:
    return EventMeta(tenant_id=upload.tenant, session_id=upload.session)
