"""The commands of `knowledge-cli` about drafts and versions."""

from datetime import UTC, datetime
from typing import Any, Final

import click
from rich.markup import escape

from parley.contracts.v1 import (
    DiffVersionsRequest,
    DiffVersionsResponse,
    ListDraftsRequest,
    ListDraftsResponse,
    ListVersionsRequest,
    ListVersionsResponse,
    MoveDraftRequest,
    MoveDraftResponse,
    RollbackRequest,
    RollbackResponse,
)
from parley_knowledge.releases import State
from parley_knowledge.talking import as_dict, out, print_json, run, shared


@click.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 500), help="The latest so many.")
@shared
def versions(limit: int, tenant: str, offline: bool, as_json: bool) -> None:
    """List the versions of the knowledge, the latest first."""
    request = ListVersionsRequest(tenant_id=tenant, limit=limit)
    found: ListVersionsResponse = run(lambda k: k.ask(ListVersionsResponse, request), offline=offline)
    if as_json:
        print_json([as_dict(one) for one in found.versions])
        return
    for one in found.versions:
        said = escape(" ".join(filter(None, (one.author, one.note))))
        out.print(f"{one.number:>6}  {_when(one.published_at)}  {one.changes:>5} changes  {said}")


@click.command()
@click.argument("before", metavar="V1|DRAFT")
@click.argument("after", metavar="[V2]", required=False, type=click.IntRange(1))
@shared
def diff(before: str, after: int | None, tenant: str, offline: bool, as_json: bool) -> None:
    """Show what differs between version V1 and V2 (the live one if absent), or what a draft would change."""
    if before.startswith("prop_"):
        request = DiffVersionsRequest(tenant_id=tenant, draft_id=before)
    elif before.isdigit():
        request = DiffVersionsRequest(tenant_id=tenant, from_version=int(before), to_version=after or 0)
    else:
        raise click.UsageError(f'"{before}" is neither the number of a version nor the id of a draft')
    found: DiffVersionsResponse = run(lambda k: k.ask(DiffVersionsResponse, request), offline=offline)
    if as_json:
        print_json(as_dict(found))
        return
    for one in found.documents:
        steps = f"v{one.version_before or '–'} → v{one.version_after or '–'}"
        out.print(f"[bold]{escape(one.uri)}[/bold]  {steps}  {one.same} passages stay")
        for sign, colour, passages in (("-", "red", one.gone), ("+", "green", one.come)):
            for line in (line for passage in passages for line in passage.text.split("\n")):
                out.print(f"[{colour}]{sign} {escape(line)}[/{colour}]")
    out.print(f"{len(found.documents)} documents differ")


@click.command()
@shared
def drafts(tenant: str, offline: bool, as_json: bool) -> None:
    """List the drafts, the latest first."""
    request = ListDraftsRequest(tenant_id=tenant)
    found: ListDraftsResponse = run(lambda k: k.ask(ListDraftsResponse, request), offline=offline)
    if as_json:
        print_json([as_dict(one) for one in found.drafts])
        return
    for one in found.drafts:
        said = escape(" ".join(filter(None, (one.author, one.note))))
        out.print(f"{one.draft_id}  {_when(one.opened_at)}  {one.state:<8} {one.knowledge_version or ''}  {said}")


def _mover(name: str, state: State, text: str) -> click.Command:
    @click.command(name, help=text)
    @click.argument("draft")
    @click.option("--author", default="", help="Who says so; kept with the version.")
    @shared
    def move(draft: str, author: str, tenant: str, offline: bool, as_json: bool) -> None:
        request = MoveDraftRequest(tenant_id=tenant, draft_id=draft, state=state, author=author)
        found: MoveDraftResponse = run(lambda k: k.ask(MoveDraftResponse, request), offline=offline)
        _moved(found, as_json=as_json)

    return move


def _moved(found: MoveDraftResponse, *, as_json: bool) -> None:
    if as_json:
        print_json(as_dict(found.draft))
    elif found.draft.state == State.LIVE:
        number = found.draft.knowledge_version
        out.print(f"live as version {number}" if number else "live already; nothing changed")
    else:
        out.print(f"{found.draft.draft_id} is {found.draft.state}")


@click.command()
@click.argument("version", type=click.IntRange(0))
@click.option("--author", default="", help="Who says so; kept with the version.")
@click.option("--note", default="", help="Why; kept with the version.")
@shared
def rollback(version: int, author: str, note: str, tenant: str, offline: bool, as_json: bool) -> None:
    """Make VERSION live again, as a new version; 0 is nothing at all."""
    request = RollbackRequest(tenant_id=tenant, to_version=version, author=author, note=note)
    found: RollbackResponse = run(lambda k: k.ask(RollbackResponse, request), offline=offline)
    if as_json:
        print_json(as_dict(found))
    else:
        out.print(f"version {found.knowledge_version} is live: {found.changes} documents changed")


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


COMMANDS: Final[tuple[Any, ...]] = (
    versions,
    diff,
    drafts,
    _mover("review", State.REVIEW, "Hand DRAFT in for review."),
    _mover("publish", State.LIVE, "Make what DRAFT holds live, at once and whole."),
    _mover("drop", State.DROPPED, "Drop DRAFT; nothing of it will ever be live."),
    rollback,
)
