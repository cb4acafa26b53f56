"""`parley agent`: a person takes over in the terminal, until there is a console."""

import sys
import threading
import time
from typing import Any

import click

from parley.cli.asking import call
from parley.core import ParleyError, new_id

POLL_SECONDS = 1.0


@click.command()
@click.argument("session_id", required=False)
@click.option("--name", default="", help="As the visitor sees it; the key's name by default.")
def agent(session_id: str | None, name: str) -> None:
    """Take over a session (the longest waiting one by default), write, and hand it back with /back."""
    session_id = session_id or _longest_waiting()
    call("POST", f"/v1/sessions/{session_id}/takeover", {"name": name})
    click.echo(
        f"You have {session_id}. Write a line to answer; /back hands back to the engine, /close ends, /leave keeps."
    )
    screen = _Screen(session_id)
    screen.show_new()
    threading.Thread(target=screen.follow, daemon=True).start()
    for text in _lines():
        if text in ("/back", "/close", "/leave"):
            _end(session_id, text)
            return
        if text:
            _say(session_id, text)
    _end(session_id, "/leave")


class _Screen:
    """What was said in a session, each line once."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._seen = 0
        self._lock = threading.Lock()

    def follow(self) -> None:
        """Show what is new until the process ends."""
        while True:
            time.sleep(POLL_SECONDS)
            try:
                self.show_new()
            except ParleyError as error:
                click.echo(f"(reconnecting: {error})", err=True)

    def show_new(self) -> None:
        """Read on from where we were."""
        with self._lock:
            page = call("GET", f"/v1/sessions/{self._session_id}/messages?after_seq={self._seen}&limit=300")
            for event in page["events"]:
                self._seen = event["seq"]
                click.echo(_shown(event))


def _shown(event: dict[str, Any]) -> str:
    if session := event.get("session"):
        return f"      -- {session['status']} {session.get('reason', '')}"
    message = event.get("message") or event.get("message_end") or {}
    sender = message.get("sender", {})
    pictures = "".join(f" [{media['url']}]" for media in message.get("media", []))
    return f"{event['at'][11:19]} {sender.get('name') or sender.get('kind')}: {message.get('text', '')}{pictures}"


def _lines() -> Any:
    while line := sys.stdin.readline():
        yield line.strip()


def _say(session_id: str, text: str) -> None:
    """Send one line; sent again with the same id when the gateway was away, so that it is said once."""
    message_id = new_id("c")
    for attempt in range(5):
        try:
            call("POST", f"/v1/sessions/{session_id}/messages", {"text": text, "client_msg_id": message_id})
            return
        except ParleyError as error:
            click.echo(f"(not sent: {error})", err=True)
            if "not yours" in str(error):
                return
            time.sleep(attempt + 1)


def _end(session_id: str, how: str) -> None:
    if how == "/leave":
        click.echo(f"{session_id} stays yours; `parley agent {session_id}` goes on")
        return
    call("POST", f"/v1/sessions/{session_id}/{'handback' if how == '/back' else 'close'}", {})
    click.echo("handed back to the engine" if how == "/back" else "closed")


def _longest_waiting() -> str:
    found = call("GET", "/v1/sessions?status=waiting&limit=1")["sessions"]
    if not found:
        raise ParleyError("nobody waits for a person; name a session to take it over anyway")
    return str(found[0]["session_id"])
