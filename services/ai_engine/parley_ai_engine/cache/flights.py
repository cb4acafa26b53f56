"""Identical questions that are being answered share one call: whoever joins gets the stream from its beginning."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Generic, TypeVar

T = TypeVar("T")


class _Flight(Generic[T]):
    """One stream under way, in a task of its own, so that it outlives the one who began it while others wait."""

    def __init__(self, stream: AsyncGenerator[T, None]) -> None:
        self._pieces: list[T] = []
        self._error: BaseException | None = None
        self._more = asyncio.Event()
        self._over = False
        self.aboard = 0
        self.task = asyncio.create_task(self._fly(stream))

    async def _fly(self, stream: AsyncGenerator[T, None]) -> None:
        try:
            async with aclosing(stream):
                async for piece in stream:
                    self._pieces.append(piece)
                    self._wake()
        except Exception as error:  # noqa: BLE001 - it is raised to everybody aboard
            self._error = error
        finally:
            self._over = True
            self._wake()

    def _wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()

    async def follow(self) -> AsyncGenerator[T, None]:
        """Every piece, whenever one joined; raises what the stream raised."""
        at = 0
        while not self._over or at < len(self._pieces):
            if at < len(self._pieces):
                yield self._pieces[at]
                at += 1
            else:
                await self._more.wait()
        if self._error is not None:
            raise self._error


class Flights(Generic[T]):
    """The streams under way, by what is asked."""

    def __init__(self) -> None:
        self._flying: dict[str, _Flight[T]] = {}

    def flying(self, key: str) -> bool:
        """Whether somebody asks the same right now."""
        return key in self._flying

    async def join(self, key: str, begin: Callable[[], AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
        """The stream of this key, begun if there is none. It is closed when the last one has left."""
        flight = self._flying.get(key)
        if flight is None:
            flight = self._flying[key] = _Flight(begin())
            flight.task.add_done_callback(lambda _, own=flight: self._land(key, own))  # type: ignore[misc]  # bound now
        flight.aboard += 1
        try:
            async with aclosing(flight.follow()) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            flight.aboard -= 1
            if flight.aboard == 0:
                self._land(key, flight)
                flight.task.cancel()
                await asyncio.wait({flight.task})

    def _land(self, key: str, flight: _Flight[T]) -> None:
        if self._flying.get(key) is flight:
            del self._flying[key]
