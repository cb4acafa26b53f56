"""Everybody who is connected, by whatever transport: counted, bounded, pinged, and sent away at the end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from parley.telemetry import gauge, names
from parley_gateway.desk import Desk
from parley_gateway.realtime import closing
from parley_gateway.realtime.connection import Connection

SILENT_PINGS = 3  # pings without any frame of the client before it counts as gone
CLOSE_SECONDS = 3.0  # that a client may take to read its last frames

_connections = {kind: gauge(names.CONNECTIONS, kind) for kind in ("websocket", "socketio", "sse", "poll")}


class Member(Protocol):
    """One client of one transport."""

    connection: Connection
    ended: asyncio.Future[None]  # set when nothing of it is left

    def close(self, code: int, reason: str) -> None:
        """Write what waits, then end it."""
        ...


class Crowd:
    """All clients of this gateway."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._members: set[Member] = set()
        self._strangers = 0

    def __len__(self) -> int:
        return len(self._members)

    @property
    def full(self) -> bool:
        """Whether nobody else may come in now: too many are here, too many have not said who they are, or we end."""
        settings = self._desk.settings
        crowded = len(self._members) >= settings.max_connections or self._strangers >= settings.max_strangers
        return crowded or self._desk.ctx.draining.is_set()

    @contextmanager
    def holds(self, member: Member, kind: str) -> Iterator[None]:
        """A member for as long as the context is open."""
        self._members.add(member)
        _connections[kind].inc()
        try:
            yield
        finally:
            self._members.discard(member)
            _connections[kind].dec()
            if not member.ended.done():
                member.ended.set_result(None)

    @contextmanager
    def stranger(self) -> Iterator[None]:
        """Somebody who has not yet said who it is."""
        self._strangers += 1
        try:
            yield
        finally:
            self._strangers -= 1

    def check_all(self) -> None:
        """Tell every client where its stream stands; close those that are gone or not welcome any more."""
        for member in list(self._members):
            member.connection.check(SILENT_PINGS * self._desk.settings.ping_seconds)

    def check_tokens(self) -> None:
        """A signing key was revoked: its tokens' clients are sent away."""
        for member in list(self._members):
            member.connection.check_token()

    async def drain(self, seconds: float) -> None:
        """Send everybody away to another replica, spread over `seconds` so that they do not all come at once."""
        members = list(self._members)
        for member in members:
            member.connection.view.bye(closing.DRAIN, "this server restarts")
            member.close(closing.DRAIN, "this server restarts; come back")
            await asyncio.sleep(seconds / len(members))
        if members:
            await asyncio.wait([member.ended for member in members], timeout=CLOSE_SECONDS / 2)
