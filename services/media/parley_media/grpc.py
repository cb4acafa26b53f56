"""The questions that media answers. A refusal's detail is `code: sentence`; see the table in the README."""

from typing import Any

import grpc
import grpc.aio

from parley.contracts.v1 import (
    AnalyzeRequest,
    AnalyzeResponse,
    FetchMediaRequest,
    FetchMediaResponse,
    MediaServicer,
    RecommendStickersRequest,
    RecommendStickersResponse,
    StoreMediaRequest,
    StoreMediaResponse,
)
from parley.core import Invalid, NotFound, TenantId
from parley_media.blobs import Blobs
from parley_media.intake import Intake
from parley_media.media import Media
from parley_media.messages import to_ref, to_sticker, to_upload
from parley_media.recognise import Recogniser
from parley_media.refusals import BEYOND_A_LIMIT, Refused
from parley_media.stickers import Recommender

MOST_STICKERS = 20
FEW_STICKERS = 5
LONGEST_TEXT = 4000  # characters

Call = grpc.aio.ServicerContext[Any, Any]


class MediaQuestions(MediaServicer):
    """Answers for one replica. Errors become status codes in the server."""

    def __init__(self, intake: Intake, blobs: Blobs, recogniser: Recogniser, recommender: Recommender) -> None:
        self._intake = intake
        self._blobs = blobs
        self._recogniser = recogniser
        self._recommender = recommender

    async def StoreMedia(self, request: StoreMediaRequest, context: Call) -> StoreMediaResponse:  # noqa: N802
        """Take an upload in. RESOURCE_EXHAUSTED: beyond a limit; INVALID_ARGUMENT: not a picture that we take."""
        _tenant(request.tenant_id)
        try:
            media = await self._intake.store(to_upload(request))
        except Refused as refusal:
            if refusal.code in BEYOND_A_LIMIT:
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(refusal))
            raise
        return StoreMediaResponse(media=to_ref(media))

    async def FetchMedia(self, request: FetchMediaRequest, context: Call) -> FetchMediaResponse:  # noqa: N802
        """The picture in the first encoding that the caller accepts."""
        media = await self._of_tenant(request.tenant_id, request.media_id)
        if request.session_id and media.session != request.session_id:
            raise NotFound("There is no such picture in this session; check its id, or send it again.")
        rendition = media.rendition_for(request.accept)
        content = await self._blobs.read(media, rendition)
        return FetchMediaResponse(media=to_ref(media, rendition), content=content)

    async def Analyze(self, request: AnalyzeRequest, context: Call) -> AnalyzeResponse:  # noqa: N802
        """Format and size always; description and text where a recogniser is configured."""
        media = await self._of_tenant(request.tenant_id, request.media_id)
        found = await self._recogniser.recognise(await self._blobs.read(media, media.master))
        return AnalyzeResponse(media=to_ref(media), description=found.description, text=found.text, method=found.method)

    async def RecommendStickers(  # noqa: N802
        self, request: RecommendStickersRequest, context: Call
    ) -> RecommendStickersResponse:
        """Stickers that suit a text; none where there is no index."""
        tenant = _tenant(request.tenant_id)
        if len(request.text) > LONGEST_TEXT:
            raise Invalid(f"The text is longer than {LONGEST_TEXT} characters; send less of it.")
        limit = min(request.limit or FEW_STICKERS, MOST_STICKERS)
        found = await self._recommender.recommend(tenant, request.text, limit)
        return RecommendStickersResponse(stickers=map(to_sticker, found.stickers), method=found.method)

    async def _of_tenant(self, tenant_id: str, media_id: str) -> Media:
        return await self._blobs.about(_tenant(tenant_id), media_id)


def _tenant(text: str) -> TenantId:
    if not text:
        raise Invalid("tenant_id is empty; the caller takes it from its client's credential.")
    return TenantId(text)
