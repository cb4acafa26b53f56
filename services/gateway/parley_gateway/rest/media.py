"""Uploads, and the pictures themselves."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import UploadFile

from parley.core import Invalid
from parley_gateway.asking import TooLarge
from parley_gateway.desk import Desk
from parley_gateway.realtime.frames import media_value
from parley_gateway.rest.envelope import Envelope, answer, refusal
from parley_gateway.rest.guard import any_caller
from parley_gateway.rest.models import MediaOut

FIELD = "file"
NO_FILE = "no_file"  # the word by which the media service, too, calls an upload without content
ACCEPTED_TYPES = 32  # that a caller may name
FORM = {
    "type": "object",
    "required": [FIELD],
    "properties": {FIELD: {"type": "string", "format": "binary", "description": "png, jpg, webp or gif; 5 MB at most"}},
}
PICTURE_HEADERS = {
    "cache-control": "private, max-age=31536000, immutable",
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
    "content-disposition": "inline",
    "vary": "Accept",  # who can show WebP gets it, everybody else what every client can show
}
PICTURE = {"image/*": {"schema": {"type": "string", "format": "binary"}}}


def router(desk: Desk) -> APIRouter:
    """A visitor uploads with its token, an adapter or agent with its key."""
    routes = APIRouter(tags=["media"])

    @routes.post(
        "/v1/media",
        response_model=Envelope[MediaOut],
        status_code=201,
        openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}},
    )
    async def upload(request: Request) -> JSONResponse:
        """Keep a picture. It is decoded, checked and written anew; send the answer's `media_id` with a message."""
        caller = await any_caller(desk, request, "ingest", "agent")  # before a byte of the body is looked at
        who = f"upload:{caller.tenant}:{caller.session or caller.key_id}"
        desk.rates.check(who, desk.ctx.clock.monotonic(), "too many uploads; wait")
        async with request.form(max_files=1, max_fields=8, max_part_size=8192) as form:
            file = form.get(FIELD)
            if not isinstance(file, UploadFile) or not file.filename:
                raise Invalid(
                    f"{NO_FILE}: send the picture as the form field `{FIELD}` of a multipart/form-data request"
                )
            content = await file.read(desk.settings.upload_bytes + 1)
            name, declared = file.filename, file.content_type or ""
        if not content:
            raise Invalid(f"{NO_FILE}: the file is empty; send a picture")
        if len(content) > desk.settings.upload_bytes:
            raise TooLarge(f"the file is larger than {desk.settings.upload_bytes} bytes")
        try:
            stored = desk.media.store(caller.tenant, caller.session, name=name, declared_type=declared, content=content)
            return answer(media_value(await stored), status=201)
        except Invalid as error:
            return refusal(400 if str(error).startswith(NO_FILE) else 415, str(error))

    @routes.get(
        "/v1/media/{tenant}/{media_id}",
        response_class=Response,
        responses={200: {"description": "The picture", "content": PICTURE}},
    )
    async def picture(tenant: str, media_id: str, request: Request) -> Response:
        """The picture, in an encoding that `Accept` names. Whoever knows its id may see it; ids cannot be guessed."""
        found = await desk.media.fetch(tenant, media_id, accepted_types(",".join(request.headers.getlist("accept"))))
        return Response(found.content, media_type=found.media.mime_type, headers=PICTURE_HEADERS)

    return routes


def accepted_types(header: str) -> list[str]:
    """The types that an Accept header names, without wildcards and what it refuses by `q=0`."""
    named = []
    for part in header.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        refused = any(p.startswith("q=") and not p[2:].strip("0.") for p in parameters)
        if "/" in kind and "*" not in kind and len(kind) <= 100 and not refused:
            named.append(kind)
    return named[:ACCEPTED_TYPES]
