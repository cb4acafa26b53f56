"""`knowledge-cli`: teach Parley what a desk has, ask it, see what it knows, and decide which version is live.

Exit codes: 0 done, 1 done in part (something was refused or not found), 2 wrong usage, 3 no knowledge to talk to.
"""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

import click
from rich.markup import escape

from parley.contracts.v1 import (
    Document,
    GetDocumentRequest,
    GetDocumentResponse,
    Labels,
    RemoveDocumentRequest,
    RemoveDocumentResponse,
    SearchRequest,
    SearchResponse,
)
from parley_knowledge.cli_versions import COMMANDS
from parley_knowledge.documents import document_id_of
from parley_knowledge.ingest import Refusal
from parley_knowledge.reach import Knowledge
from parley_knowledge.releases import State
from parley_knowledge.talking import PARTLY, as_dict, err, out, print_json, progress, run, shared
from parley_knowledge.teach import Run, Summary, listed, synchronise, teach

SHOWN: Final = 400  # characters of a passage
TERMS: Final = 12  # words of an explanation


@click.group("knowledge", context_settings={"help_option_names": ["-h", "--help"]}, help=__doc__)
def main() -> None:
    """Group the commands."""


for _command in COMMANDS:
    main.add_command(_command)


def _taught(command: Any) -> Any:
    """The options of commands that teach."""
    when = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"])
    for option in (
        click.option("--draft", "state", flag_value=State.DRAFT, type=State, help="Leave it a draft; see `publish`."),
        click.option("--review", "state", flag_value=State.REVIEW, type=State, help="Hand it in for review instead."),
        click.option("--live", "state", flag_value=State.LIVE, type=State, default=True, help="Publish it (default)."),
        click.option("--audience", "audiences", multiple=True, help="Only for these; may be given several times."),
        click.option("--channel", "channels", multiple=True, help="Only on these channels."),
        click.option("--valid-from", type=when, help="Not used before (UTC)."),
        click.option("--valid-until", type=when, help="Not used from then on (UTC)."),
        click.option("--author", default="", help="Who says so; kept with the version."),
        click.option("--note", default="", help="Why; kept with the version."),
    ):
        command = option(command)
    return shared(command)


@main.command()
@click.argument("paths", nargs=-1, required=True)
@_taught
def ingest(paths: tuple[str, ...], **options: Any) -> None:
    """Teach the documents of PATHS: PDF, Word, Excel, web pages and more; `-` reads paths from standard input.

    The same file twice changes nothing. What is new is live all at once, or not at all.
    """
    _teach(paths, follow=False, **options)


@main.command()
@click.argument("paths", nargs=-1, required=True)
@_taught
def sync(paths: tuple[str, ...], **options: Any) -> None:
    """Make what is known from the folders PATHS equal to their files: what is gone there is removed too."""
    _teach(paths, follow=True, **options)


def _teach(names: Sequence[str], *, follow: bool, offline: bool, as_json: bool, **options: Any) -> None:
    paths = _paths(names)
    told = _run_of(options)
    with progress(shown=not as_json) as shown:
        bar = shown.add_task("reading", total=None)

        def advanced(done: int, total: int) -> None:
            shown.update(bar, completed=done, total=total, description="teaching")

        work = synchronise if follow else teach
        summary = run(lambda k: work(k, told, paths, advanced=advanced), offline=offline)
    if as_json:
        print_json({**asdict(summary), "documents": summary.documents})
    else:
        _print_summary(summary)
    if summary.refused or not (summary.documents or summary.removed):
        sys.exit(PARTLY)


def _paths(names: Sequence[str]) -> list[Path]:
    found: list[str] = []
    for name in names:
        found.extend(line.strip() for line in sys.stdin if line.strip()) if name == "-" else found.append(name)
    missing = [name for name in found if not Path(name).exists()]
    if missing or not found:
        raise click.UsageError(f"{missing[0]} does not exist" if missing else "standard input names no path")
    return [Path(name) for name in found]


def _run_of(options: dict[str, Any]) -> Run:
    labels = Labels(
        audiences=options["audiences"],
        channels=options["channels"],
        valid_from=_seconds(options["valid_from"]),
        valid_until=_seconds(options["valid_until"]),
    )
    return Run(options["tenant"], author=options["author"], note=options["note"], labels=labels, state=options["state"])


def _seconds(moment: datetime | None) -> float:
    return moment.replace(tzinfo=UTC).timestamp() if moment else 0.0


def _asked(command: Any) -> Any:
    """The options of commands that search."""
    for option in (
        click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 50), help="Passages to show."),
        click.option("--language", default="", type=click.Choice(["", "zh", "en"]), help="Found from QUERY if absent."),
        click.option("--audience", default="", help="Ask as one of them."),
        click.option("--channel", default="", help="Ask from there."),
        click.option("--version", "knowledge_version", default=0, type=click.IntRange(0), help="Ask an old version."),
    ):
        command = option(command)
    return shared(click.argument("query")(command))


@main.command()
@_asked
def search(offline: bool, as_json: bool, tenant: str, **asked: Any) -> None:
    """Show the passages that answer QUERY best, and how sure Parley is of the first."""
    _search(SearchRequest(tenant_id=tenant, **asked), offline=offline, as_json=as_json)


@main.command()
@_asked
def explain(offline: bool, as_json: bool, tenant: str, **asked: Any) -> None:
    """Say why QUERY finds what it finds: which words were looked up, and which stand in each passage."""
    _search(SearchRequest(tenant_id=tenant, explain=True, **asked), offline=offline, as_json=as_json)


def _search(request: SearchRequest, *, offline: bool, as_json: bool) -> None:
    answer: SearchResponse = run(lambda k: k.ask(SearchResponse, request), offline=offline)
    if as_json:
        print_json(as_dict(answer))
    else:
        _print_answer(answer, explained=request.explain)
    if not answer.passages:
        sys.exit(PARTLY)


@main.command("list")
@click.option("--version", default=0, type=click.IntRange(0), help="What was live in that version.")
@shared
def list_documents(version: int, tenant: str, offline: bool, as_json: bool) -> None:
    """List the documents that are known."""
    documents = run(lambda k: _all(k, tenant, version), offline=offline)
    if as_json:
        print_json([as_dict(document) for document in documents])
        return
    for d in documents:
        out.print(f"{d.document_id}  {d.language} v{d.version} {d.chunks:>4}  {escape(d.uri)}  {escape(d.title)}")
    out.print(f"{len(documents)} documents")


@main.command()
@click.argument("document")
@click.option("--version", default=0, type=click.IntRange(0), help="As it was in that knowledge version.")
@shared
def show(document: str, version: int, tenant: str, offline: bool, as_json: bool) -> None:
    """Show a DOCUMENT, named by its id or its uri, with its passages."""
    request = GetDocumentRequest(tenant_id=tenant, document_id=_id_of(document), knowledge_version=version)
    found: GetDocumentResponse = run(lambda k: k.ask(GetDocumentResponse, request), offline=offline)
    if as_json:
        print_json(as_dict(found))
        return
    d = found.document
    out.print(f"[bold]{escape(d.title)}[/bold]  {escape(d.uri)}  {d.language} v{d.version}")
    for passage in found.passages:
        out.print(f"\n[bold]{escape(passage.place or '·')}[/bold]\n{escape(passage.text)}")


@main.command()
@click.argument("documents", nargs=-1, required=True)
@shared
def remove(documents: tuple[str, ...], tenant: str, offline: bool, as_json: bool) -> None:
    """Remove DOCUMENTS, each named by its id or its uri."""
    removed = run(lambda k: _remove(k, tenant, documents), offline=offline)
    if as_json:
        print_json(removed)
    else:
        for name, was_there in removed.items():
            out.print(f"removed {escape(name)}" if was_there else f"there is no document {escape(name)}")
    if not all(removed.values()):
        sys.exit(PARTLY)


@main.command()
@click.argument("file", type=click.File("w", "utf-8"), default="-")
@click.option("--version", default=0, type=click.IntRange(0), help="What was live in that version.")
@shared
def export(file: TextIO, version: int, tenant: str, offline: bool, as_json: bool) -> None:
    """Write all documents as JSON lines into FILE (`-`, the default: standard output); `ingest` reads them."""

    async def work(knowledge: Knowledge) -> int:
        documents = await _all(knowledge, tenant, version)
        for d in documents:
            request = GetDocumentRequest(tenant_id=tenant, document_id=d.document_id, knowledge_version=version)
            found = await knowledge.ask(GetDocumentResponse, request)
            text = "\n\n".join("\n".join(filter(None, (_headed(p.place), p.text))) for p in found.passages)
            line = {**as_dict(d), "title": d.title, "text": text}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return len(documents)

    count = run(work, offline=offline)
    if as_json and file.name != "<stdout>":
        print_json({"documents": count})
    else:
        err.print(f"{count} documents")


def _headed(place: str) -> str:
    return f"# {place}" if place else ""


@main.command()
@click.argument("questions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--bar", default=0.0, type=click.FloatRange(0, 1), help="Exit 1 when fewer are right among the first 5.")
@shared
def evaluate(questions: Path, bar: float, tenant: str, offline: bool, as_json: bool) -> None:
    """Ask the QUESTIONS of a CSV file with the columns `question` and `expects`: a uri, or words of the passage."""
    rows = _questions(questions)
    requests = [SearchRequest(tenant_id=tenant, query=question, limit=5) for question, _ in rows]

    async def work(knowledge: Knowledge) -> list[SearchResponse]:
        return [await knowledge.ask(SearchResponse, request) for request in requests]

    answers = run(work, offline=offline)
    ranks = [_rank(answer, expects) for answer, (_, expects) in zip(answers, rows, strict=True)]
    first, five = (sum(0 < rank <= n for rank in ranks) / len(ranks) for n in (1, 5))
    missed = [question for (question, _), rank in zip(rows, ranks, strict=True) if not rank]
    if as_json:
        print_json({"questions": len(rows), "first": first, "among_5": five, "missed": missed})
    else:
        for question in missed:
            err.print(f"missed: {escape(question)}")
        out.print(f"{len(rows)} questions: {first:.3f} right at the first place, {five:.3f} among the first 5")
    if five < bar:
        sys.exit(PARTLY)


def _questions(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        found = [(row.get("question") or "", row.get("expects") or "") for row in csv.DictReader(file)]
    rows = [(question.strip(), expects.strip()) for question, expects in found if question.strip() and expects.strip()]
    if not rows:
        raise click.UsageError(f"{path} names no question; its first line must be question,expects")
    return rows


def _rank(answer: SearchResponse, expects: str) -> int:
    """The place of the first passage that is right, from 1; 0 for none."""
    right = (n for n, p in enumerate(answer.passages, 1) if p.uri == expects or expects in p.passage)
    return next(right, 0)


async def _all(knowledge: Knowledge, tenant: str, version: int = 0) -> list[Document]:
    return [document async for document in listed(knowledge, tenant, version)]


async def _remove(knowledge: Knowledge, tenant: str, documents: Iterable[str]) -> dict[str, bool]:
    removed = {}
    for name in documents:
        request = RemoveDocumentRequest(tenant_id=tenant, document_id=_id_of(name))
        removed[name] = (await knowledge.ask(RemoveDocumentResponse, request)).removed
    return removed


def _id_of(name: str) -> str:
    return name if name.startswith("doc_") else document_id_of(name)


def _print_summary(summary: Summary) -> None:
    for refusal in summary.refused:
        _print_refusal("refused", refusal)
    for refusal in summary.left_out:
        _print_refusal("left out", refusal)
    rate = summary.documents / summary.seconds if summary.seconds else 0.0
    gone = f", {summary.removed} removed" if summary.removed else ""
    out.print(
        f"{summary.documents} documents in {summary.passages} passages from {summary.files} files: "
        f"{summary.added} new, {summary.changed} changed, {summary.unchanged} unchanged{gone}; "
        f"{len(summary.refused)} refused, {len(summary.left_out)} left out "
        f"({summary.seconds:.1f} s, {rate:.0f} documents/s)"
    )
    if summary.state == State.LIVE:
        out.print(f"live as version {summary.knowledge_version}")
    elif summary.state:
        out.print(
            f"waits as {summary.state} {summary.draft_id}; `knowledge-cli publish {summary.draft_id}` makes it live"
        )


def _print_refusal(word: str, refusal: Refusal) -> None:
    err.print(f"{word}: {escape(refusal.name)} {escape(refusal.reason)}")


def _print_answer(answer: SearchResponse, *, explained: bool) -> None:
    why = answer.explanation
    if explained:
        terms = ", ".join(f"{escape(t.term)} {t.weight:.1f}" for t in why.terms[:TERMS])
        out.print(f"looked up in {answer.language}, version {answer.knowledge_version}: {terms or 'no known word'}")
        out.print(f"hidden from here: {why.hidden} passages")
        out.print("sure by " + ", ".join(f"{name} {value:.2f}" for name, value in sorted(why.evidence.items())) + "\n")
    if not answer.passages:
        out.print("nothing is known about that")
        return
    out.print(f"{answer.answerable:.0%} sure ({answer.language}): {escape(answer.quote)}\n")
    for fact in answer.facts[:1]:
        said = f"{fact.subject}, {fact.attribute}: {fact.value}" if fact.attribute else fact.value
        out.print(f"[bold]{fact.kind}[/bold]  {escape(said)}\n")
    for number, source in enumerate(answer.passages, 1):
        place = f" › {source.place}" if source.place else ""
        out.print(f"[bold]{number}. {escape(source.title + place)}[/bold]  {source.score:.2f}  {escape(source.uri)}")
        if explained:
            out.print(f"found by {escape(', '.join(why.passages[number - 1].terms[:TERMS]))}")
        out.print(f"{escape(source.passage[:SHOWN])}{'…' if len(source.passage) > SHOWN else ''}\n")
