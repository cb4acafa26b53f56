"""Takes in pictures: checks them, encodes them anew, keeps them, and shows them to whoever may see them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio

from parley.contracts.v1 import add_MediaServicer_to_server
from parley.service import Context, Service
from parley_media.blobs import Blobs, open_blobs
from parley_media.grpc import MediaQuestions
from parley_media.inspect import Decoders, open_decoders
from parley_media.intake import Intake
from parley_media.recognise import CommandRecogniser, NoRecogniser, Recogniser
from parley_media.settings import MediaSettings
from parley_media.stickers import NoStickers, Recommender


@dataclass(frozen=True)
class Deps:
    """What media works with."""

    decoders: Decoders
    blobs: Blobs
    recogniser: Recogniser
    recommender: Recommender


@asynccontextmanager
async def open_deps(ctx: Context[Any]) -> AsyncIterator[Deps]:
    """Open the store; decoder processes start with the first upload."""
    settings = MediaSettings.load()
    async with open_blobs(ctx.settings.blobs()) as blobs, open_decoders(settings, ctx.clock) as decoders:
        ctx.ready_when("blobs", blobs.check)
        yield Deps(decoders, blobs, _recogniser(settings), NoStickers())


service = Service("media", deps=Deps, opens=open_deps)


def add_questions(ctx: Context[Deps], server: grpc.aio.Server) -> None:
    """Register the gRPC questions."""
    deps = ctx.deps
    intake = Intake(deps.decoders, deps.blobs, ctx.clock, ctx.publish)
    questions = MediaQuestions(intake, deps.blobs, deps.recogniser, deps.recommender)
    add_MediaServicer_to_server(questions, server)


service.serves(add_questions)


def _recogniser(settings: MediaSettings) -> Recogniser:
    if not settings.ocr_command:
        return NoRecogniser()
    return CommandRecogniser(settings.ocr_command, settings.ocr_seconds)
