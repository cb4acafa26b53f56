"""`parley sessions` and `parley session`: who is being answered, and by whom."""

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import click
from google.protobuf.timestamp_pb2 import Timestamp

from parley.cli.asking import CALL_SECONDS, ask
from parley.contracts.v1 import (
    GetSessionRequest,
    HistoryRequest,
    HistoryResponse,
    ListSessionsRequest,
    ListSessionsResponse,
    Message,
    SenderKind,
    Session,
    SessionsStub,
    SessionStatus,
    StreamEvent,
)

_HUMAN: Final = {"visitor": "visitor", "agent": "human", "system": "system"}

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
    """Its state, who answers, its timers, and the last decisions with their reasons."""
    request = GetSessionRequest(tenant_id=tenant, session_id=session_id)
    found = ask(
        "session-router", lambda channel: SessionsStub(channel).GetSession(request, timeout=CALL_SECONDS)
    ).session
    click.echo(line(found))
    for fact in facts(found, time.time()):
        click.echo(f"  {fact}")
    click.echo("  last decisions:")
    for decision in found.decisions:
        click.echo(f"    {_clock(decision.at)}  {decision.why}")


@session.command()
@click.argument("session_id")
@click.option("--tenant", default="demo", show_default=True)
def export(session_id: str, tenant: str) -> None:
    """What was said, one JSON object a line: who, the text, its origin, and whether a model generated it."""
    for event in _history(session_id, tenant):
        kind = event.WhichOneof("body")
        if kind in ("message", "message_end"):
            said = event.message if kind == "message" else event.message_end
            click.echo(json.dumps(exported(event.seq, said), ensure_ascii=False))


def _history(session_id: str, tenant: str) -> Iterator[StreamEvent]:
    after = 0
    while True:
        page = _page(HistoryRequest(tenant_id=tenant, session_id=session_id, after_seq=after, limit=300))
        yield from page.events
        if not page.events or page.events[-1].seq >= page.head_seq:
            return
        after = page.events[-1].seq


def _page(request: HistoryRequest) -> HistoryResponse:
    return ask("session-router", lambda channel: SessionsStub(channel).History(request, timeout=CALL_SECONDS))


def exported(seq: int, said: Message) -> dict[str, Any]:
    """One message as it is exported; every one says its origin and whether a model generated it."""
    by = SenderKind.Name(said.sender.kind).removeprefix("SENDER_KIND_").lower()
    return {
        "seq": seq,
        "at": said.created_at.ToJsonString() if said.HasField("created_at") else "",
        "by": by,
        "name": said.sender.name,
        "text": said.text,
        "origin": said.origin or _HUMAN.get(by, ""),
        "ai_generated": said.ai_generated,
        "finish_reason": said.finish_reason,
        "sources": [{"title": s.title, "document_id": s.document_id, "version": s.version} for s in said.sources],
        "trace_id": said.trace_id,
    }


def facts(found: Session, now: float) -> Iterator[str]:
    """State, owner and timers, a line each; what there is none of is left out."""
    yield f"channel {found.channel}, epoch {found.epoch}, head seq {found.head_seq}, ownership {found.ownership}"
    yield f"shard {found.shard}, written by its owner number {found.shard_epoch}"
    if found.running_turn:
        engine = found.engine_id or "no engine has begun to show its answer"
        yield f"running turn {found.running_turn} ({engine})"
    if found.unanswered:
        yield f"{found.unanswered} message(s) without an answer"
    if found.unsent:
        yield f"{found.unsent} event(s) that may not have been published"
    timers = (
        ("turn_deadline", "a person is asked for"),
        ("starts_at", "the turn starts, since the visitor types"),
        ("idle_at", "closed, if nobody says anything"),
    )
    for name, what in timers:
        if found.HasField(name):  # type: ignore[arg-type]  # the stub wants a literal
            at = getattr(found, name)
            yield f"{_clock(at)} (in {at.seconds - int(now)} s)  {what}"


def _clock(at: Timestamp) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at.seconds))


def line(found: Session) -> str:
    """A session in one line."""
    who = found.agent.name if found.status == SessionStatus.SESSION_STATUS_ASSIGNED else found.waiting_reason
    waited = f"{_ago(found.waiting_since.seconds)} " if found.status == SessionStatus.SESSION_STATUS_WAITING else ""
    name = found.visitor.name or "-"
    return f"{found.session_id:32} {_WORD.get(found.status, '?'):8} {waited}{who or '-':12} {name:12} {found.last_text}"


def _ago(seconds: int) -> str:
    passed = max(0, int(time.time()) - seconds)
    return f"{passed // 60}m{passed % 60:02d}s"
