"""`knowledge-cli`: teach Parley a folder, ask it, see and remove what it knows.

Exit codes: 0 done, 1 done in part (something was refused or not found), 2 wrong usage, 3 no knowledge to talk to.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from parley.contracts.v1 import (
    Document,
    ListDocumentsRequest,
    ListDocumentsResponse,
    RemoveDocumentRequest,
    RemoveDocumentResponse,
    SearchRequest,
    SearchResponse,
)
from parley.core import ParleyError, SettingsError, Unavailable
from parley.core.settings import PlaceSettings
from parley_knowledge.documents import document_id_of
from parley_knowledge.ingest import Refusal
from parley_knowledge.reach import Knowledge, reach
from parley_knowledge.settings import DEMO_TENANT
from parley_knowledge.teach import Run, Summary, teach

PARTLY: Final = 1
WRONG: Final = 2
NOBODY: Final = 3
PAGE: Final = 500
SHOWN: Final = 400  # characters of a passage
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

_Command = Callable[..., Any]


def _shared(command: _Command) -> _Command:
    """The options that every command has."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")(command)
    command = click.option("--offline", is_flag=True, help="Use the database itself; needs no running service.")(
        command
    )
    return click.option("--tenant", default=DEMO_TENANT, show_default=True, help="Whose knowledge.")(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, help=__doc__)
def main() -> None:
    """Group the commands."""


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@_shared
def ingest(paths: tuple[Path, ...], tenant: str, offline: bool, as_json: bool) -> None:
    """Teach the documents of PATHS: PDF, Word, Excel, web pages and more. The same file twice changes nothing."""
    with _progress(shown=err.is_terminal and not as_json) as progress:
        bar = progress.add_task("reading", total=None)

        def advanced(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total, description="teaching")

        summary = _run(lambda k: teach(k, Run(tenant), paths, advanced=advanced), offline=offline)
    if as_json:
        _print_json({**asdict(summary), "documents": summary.documents})
    else:
        _print_summary(summary)
    if summary.refused or not summary.documents:
        sys.exit(PARTLY)


@main.command()
@click.argument("query")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 50), help="Passages to show.")
@click.option("--language", default="", type=click.Choice(["", "zh", "en"]), help="Found from QUERY when not given.")
@_shared
def search(query: str, limit: int, language: str, tenant: str, offline: bool, as_json: bool) -> None:
    """Show the passages that answer QUERY best, and how sure Parley is of the first."""
    request = SearchRequest(tenant_id=tenant, query=query, limit=limit, language=language)
    answer = _run(lambda k: k.ask(SearchResponse, request), offline=offline)
    if as_json:
        _print_json(_as_dict(answer))
    else:
        _print_answer(answer)
    if not answer.passages:
        sys.exit(PARTLY)


@main.command("list")
@_shared
def list_documents(tenant: str, offline: bool, as_json: bool) -> None:
    """List the documents that are known."""
    documents = _run(lambda k: _all(k, tenant), offline=offline)
    if as_json:
        _print_json([_as_dict(document) for document in documents])
        return
    for d in documents:
        out.print(f"{d.document_id}  {d.language} v{d.version} {d.chunks:>4}  {escape(d.uri)}  {escape(d.title)}")
    out.print(f"{len(documents)} documents")


@main.command()
@click.argument("documents", nargs=-1, required=True)
@_shared
def remove(documents: tuple[str, ...], tenant: str, offline: bool, as_json: bool) -> None:
    """Remove DOCUMENTS, each named by its id or its uri."""
    removed = _run(lambda k: _remove(k, tenant, documents), offline=offline)
    if as_json:
        _print_json(removed)
    else:
        for name, was_there in removed.items():
            out.print(f"removed {escape(name)}" if was_there else f"there is no document {escape(name)}")
    if not all(removed.values()):
        sys.exit(PARTLY)


async def _all(knowledge: Knowledge, tenant: str) -> list[Document]:
    found: list[Document] = []
    after = ""
    while True:
        page = await knowledge.ask(
            ListDocumentsResponse, ListDocumentsRequest(tenant_id=tenant, after=after, limit=PAGE)
        )
        found.extend(page.documents)
        after = page.next
        if not after:
            return found


async def _remove(knowledge: Knowledge, tenant: str, documents: tuple[str, ...]) -> dict[str, bool]:
    removed = {}
    for name in documents:
        document_id = name if name.startswith("doc_") else document_id_of(name)
        answer = await knowledge.ask(
            RemoveDocumentResponse, RemoveDocumentRequest(tenant_id=tenant, document_id=document_id)
        )
        removed[name] = answer.removed
    return removed


def _run(work: Callable[[Knowledge], Awaitable[Any]], *, offline: bool) -> Any:
    """Do the work, or end with a sentence that says what to do."""

    async def reached() -> Any:
        try:
            async with reach(PlaceSettings.load(), offline=offline) as knowledge:
                return await work(knowledge)
        except BaseExceptionGroup as group:  # of documents that were on their way together
            raise _first(group) from None

    try:
        return asyncio.run(reached())
    except KeyboardInterrupt:
        err.print("stopped; the same command goes on where it was")
        sys.exit(130)
    except ParleyError as error:
        err.print(escape(str(error)))
        sys.exit(NOBODY if isinstance(error, Unavailable) else WRONG if isinstance(error, SettingsError) else PARTLY)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _progress(*, shown: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True, disable=not shown)


def _print_summary(summary: Summary) -> None:
    for refusal in summary.refused:
        _print_refusal("refused", refusal)
    for refusal in summary.left_out:
        _print_refusal("left out", refusal)
    rate = summary.documents / summary.seconds if summary.seconds else 0.0
    out.print(
        f"{summary.documents} documents in {summary.passages} passages from {summary.files} files: "
        f"{summary.added} new, {summary.changed} changed, {summary.unchanged} unchanged; "
        f"{len(summary.refused)} refused, {len(summary.left_out)} left out "
        f"({summary.seconds:.1f} s, {rate:.0f} documents/s)"
    )


def _print_refusal(word: str, refusal: Refusal) -> None:
    err.print(f"{word}: {escape(refusal.name)} {escape(refusal.reason)}")


def _print_answer(answer: SearchResponse) -> None:
    if not answer.passages:
        out.print("nothing is known about that")
        return
    out.print(f"{answer.answerable:.0%} sure ({answer.language}): {escape(answer.quote)}\n")
    for number, source in enumerate(answer.passages, 1):
        place = f" › {source.place}" if source.place else ""
        out.print(f"[bold]{number}. {escape(source.title + place)}[/bold]  {source.score:.2f}  {escape(source.uri)}")
        out.print(f"{escape(source.passage[:SHOWN])}{'…' if len(source.passage) > SHOWN else ''}\n")


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _as_dict(message: Any) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415 - only for --json

    found: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return found
