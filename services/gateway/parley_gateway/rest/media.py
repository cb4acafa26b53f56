"""Uploads, and the pictures themselves."""

from typing import Annotated

from fastapi import APIRouter, File, Request, UploadFile
from fastapi.responses import JSONResponse, Response

from parley.core import Invalid
from parley_gateway.asking import TooLarge
from parley_gateway.realtime.connection import Desk
from parley_gateway.realtime.frames import media_value
from parley_gateway.rest.envelope import Envelope, answer, refusal
from parley_gateway.rest.guard import any_caller
from parley_gateway.rest.models import MediaOut


def router(desk: Desk) -> APIRouter:
    """A visitor uploads with its token, an adapter or agent with its key."""
    routes = APIRouter(tags=["media"])

    @routes.post(
        "/v1/media",
        response_model=Envelope[MediaOut],
        status_code=201,
        responses={413: {"description": "Over 5 MB"}, 415: {"description": "Not a picture that we take"}},
    )
    async def upload(request: Request, file: Annotated[UploadFile | None, File()] = None) -> JSONResponse:
        """Keep a picture: png, jpg, webp or gif, 5 MB at most. It is decoded, checked and written anew."""
        caller = await any_caller(desk, request, "ingest")
        if file is None or not file.filename:
            raise Invalid("send the picture as the form field `file` of a multipart/form-data request")
        content = await file.read(desk.settings.upload_bytes + 1)
        if len(content) > desk.settings.upload_bytes:
            raise TooLarge(f"the file is larger than {desk.settings.upload_bytes} bytes")
        try:
            media = await desk.media.store(
                caller.tenant,
                caller.session,
                name=file.filename,
                declared_type=file.content_type or "",
                content=content,
            )
        except Invalid as error:
            return refusal(415, str(error))
        return answer(media_value(media), status=201)

    @routes.get("/v1/media/{tenant}/{media_id}", response_class=Response)
    async def picture(tenant: str, media_id: str) -> Response:
        """The picture. Whoever knows its id may see it; ids cannot be guessed."""
        found = await desk.media.fetch(tenant, media_id)
        headers = {
            "cache-control": "private, max-age=31536000, immutable",
            "content-security-policy": "default-src 'none'; sandbox",
            "x-content-type-options": "nosniff",
            "content-disposition": "inline",
        }
        return Response(found.content, media_type=found.media.mime_type, headers=headers)

    return routes
