"""A reader that keeps what it is given, and settles when the test says so."""

import asyncio
from collections.abc import Callable

from parley.bus import Bus, Delivery, Event, ParkedLetter, Route
from parley.contracts.v1 import MessageReceived
from parley.testing.builders import a_message_received
from tests.contract.bus.conftest import TO_ENGINE

PATIENCE = 20.0


class Reader:
    """Deliveries in the order in which they came."""

    def __init__(self, *, settles: bool = True) -> None:
        self.deliveries: list[Delivery] = []
        self.calls: list[int] = []
        self._settles = settles
        self._changed = asyncio.Event()

    def take(self, deliveries: list[Delivery]) -> None:
        self.deliveries.extend(deliveries)
        self.calls.append(len(deliveries))
        if self._settles:
            for delivery in deliveries:
                delivery.settle()
        self._changed.set()

    @property
    def texts(self) -> list[str]:
        return [text_of(delivery.event) for delivery in self.deliveries]

    async def until(self, fact: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not fact():
                self._changed.clear()
                await self._changed.wait()

    async def has(self, count: int) -> None:
        await self.until(lambda: len(self.deliveries) >= count)


def text_of(event: Event | None) -> str:
    assert isinstance(event, MessageReceived)
    return event.text


def to(key: str, *, batch: int = 64, mandatory: bool = True) -> Route:
    return Route(TO_ENGINE, key, batch=batch, mandatory=mandatory)


def said(text: str) -> MessageReceived:
    return a_message_received(text)


async def until(fact: Callable[[], object]) -> None:
    """Wait for something that nobody announces."""
    async with asyncio.timeout(PATIENCE):
        while not fact():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.005)


async def until_parked(bus: Bus) -> list[ParkedLetter]:
    """The dead letters, once there are any: a broker buries a moment after the last delivery."""
    async with asyncio.timeout(PATIENCE):
        while not (letters := await bus.dead_letters()):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    return letters
