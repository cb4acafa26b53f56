"""`parley test FOLDER`: play conversations and say which did not go as written."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
import grpc.aio

from parley.contracts.v1 import KnowledgeAsyncStub, KnowledgeStub, ListDocumentsRequest
from parley.core import SystemClock, Unavailable
from parley.core.settings import PlaceSettings
from parley.service.grpc import connect
from parley_ai_engine.pipeline.evidence import KnowledgeService
from parley_ai_engine.rehearsal.cases import read_folder
from parley_ai_engine.rehearsal.playing import play

READY_SECONDS = 120.0
TENANT = "demo"
AT_ONCE = 8


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--knowledge",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The handbook that is answered from; by default the folder `handbook` beside FOLDER.",
)
def test(folder: Path, knowledge: Path | None) -> None:
    """Play the conversations of FOLDER's YAML files; exit code 1 when one does not go as written."""
    began = time.monotonic()
    handbook = knowledge or folder.resolve().parent / "handbook"
    if not handbook.is_dir():
        raise click.UsageError(f"there is no {handbook}; name the handbook by --knowledge")
    results = asyncio.run(rehearse(folder, handbook))
    failed = {name: wrong for name, wrong in results.items() if wrong}
    for name, wrong in failed.items():
        click.echo(f"failed   {name}")
        for line in wrong:
            click.echo(f"         {line}")
    click.echo(f"{len(results) - len(failed)} of {len(results)} conversations went as written "
               f"({time.monotonic() - began:.1f} s)")  # fmt: skip
    sys.exit(1 if failed else 0)


async def rehearse(folder: Path, handbook: Path) -> dict[str, list[str]]:
    """What went wrong, by conversation. Raises Invalid for a file that is not understood."""
    conversations, free = read_folder(folder), asyncio.Semaphore(AT_ONCE)
    async with _knowledge(handbook) as stub:

        async def one(file: Path, number: int) -> tuple[str, list[str]]:
            conversation = conversations[number][1]
            async with free:
                wrong = await play(conversation, KnowledgeService(stub), TENANT, SystemClock())
            return f"{file.name}: {conversation.name}", wrong

        return dict(await asyncio.gather(*(one(file, number) for number, (file, _) in enumerate(conversations))))


@asynccontextmanager
async def _knowledge(handbook: Path) -> AsyncIterator[KnowledgeAsyncStub]:
    """The knowledge service as a process of its own, with nothing but this handbook."""
    documents = len(await asyncio.to_thread(lambda: list(handbook.rglob("*.md"))))
    with tempfile.TemporaryDirectory(prefix="parley-test-") as home:
        settings = PlaceSettings(home=Path(home))
        environment = [f"PARLEY_HOME={home}", f"PARLEY_KNOWLEDGE_FOLDERS={handbook}", "PARLEY_LOG_LEVEL=ERROR"]
        process = await asyncio.create_subprocess_exec(
            "env", "-u", "PARLEY_KNOWLEDGE_URL", *environment, sys.executable, "-m", "parley.cli", "run", "knowledge"
        )
        try:
            async with connect(settings.grpc_target("knowledge")) as channel:
                stub = KnowledgeStub(channel)
                await _ready(stub, process, documents)
                yield stub
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _ready(stub: KnowledgeAsyncStub, process: asyncio.subprocess.Process, documents: int) -> None:
    """Wait until the handbook is read. Raises Unavailable."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.returncode is None:
        try:
            if await _read(stub) >= documents:
                return
        except grpc.aio.AioRpcError:
            pass
        await asyncio.sleep(0.1)
    raise Unavailable("the handbook was not read in time; `parley run knowledge` says what is wrong with it")


async def _read(stub: KnowledgeAsyncStub) -> int:
    """How many documents can be searched."""
    read, after = 0, ""
    while True:
        page = await stub.ListDocuments(ListDocumentsRequest(tenant_id=TENANT, limit=100, after=after), timeout=2.0)
        read, after = read + len(page.documents), page.next
        if not after:
            return read
