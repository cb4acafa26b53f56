"""`parley sessions` and `parley session`: who is being answered, and by whom."""

import time

import click

from parley.cli.asking import CALL_SECONDS, ask
from parley.contracts.v1 import (
    GetSessionRequest,
    ListSessionsRequest,
    ListSessionsResponse,
    Session,
    SessionsStub,
    SessionStatus,
)

_WORD = {
    SessionStatus.SESSION_STATUS_OPEN: "open",
    SessionStatus.SESSION_STATUS_WAITING: "waiting",
    SessionStatus.SESSION_STATUS_ASSIGNED: "assigned",
    SessionStatus.SESSION_STATUS_CLOSED: "closed",
}


@click.command()
@click.option("--waiting", is_flag=True, help="Only those that wait for a person, longest first.")
@click.option("--tenant", default="demo", show_default=True)
@click.option("--limit", default=50, show_default=True)
def sessions(waiting: bool, tenant: str, limit: int) -> None:
    """Sessions, one a line."""
    request = ListSessionsRequest(tenant_id=tenant, limit=limit)
    if waiting:
        request.status = SessionStatus.SESSION_STATUS_WAITING
    page: ListSessionsResponse = ask(
        "session-router", lambda channel: SessionsStub(channel).ListSessions(request, timeout=CALL_SECONDS)
    )
    for found in page.sessions:
        click.echo(line(found))
    if not page.sessions:
        click.echo("nobody waits" if waiting else "there are no sessions", err=True)


@click.group()
def session() -> None:
    """One session."""


@session.command()
@click.argument("session_id")
@click.option("--tenant", default="demo", show_default=True)
def show(session_id: str, tenant: str) -> None:
    """Its state, who answers, and the last decisions with their reasons."""
    request = GetSessionRequest(tenant_id=tenant, session_id=session_id)
    found = ask(
        "session-router", lambda channel: SessionsStub(channel).GetSession(request, timeout=CALL_SECONDS)
    ).session
    click.echo(line(found))
    click.echo(
        f"  channel {found.channel}, epoch {found.epoch}, head seq {found.head_seq}, ownership {found.ownership}"
    )
    if found.running_turn:
        click.echo(f"  running turn {found.running_turn}")
    for why in found.why:
        click.echo(f"  - {why}")


def line(found: Session) -> str:
    """A session in one line."""
    who = found.agent.name if found.status == SessionStatus.SESSION_STATUS_ASSIGNED else found.waiting_reason
    waited = f"{_ago(found.waiting_since.seconds)} " if found.status == SessionStatus.SESSION_STATUS_WAITING else ""
    name = found.visitor.name or "-"
    return f"{found.session_id:32} {_WORD.get(found.status, '?'):8} {waited}{who or '-':12} {name:12} {found.last_text}"


def _ago(seconds: int) -> str:
    passed = max(0, int(time.time()) - seconds)
    return f"{passed // 60}m{passed % 60:02d}s"
