"""The example client, over each of its transports: answered, cut by a restart, resumed, nothing lost or told twice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from examples.clients.parley_client import Client, EventsLine, Line, PollLine, Refused, SocketIoLine, WebSocketLine
from tests.flow.house import House, a_house

ZH, EN = "退款多久到账？", "How long does a refund take?"
LINES: dict[str, Callable[[House], Line]] = {
    "websocket": lambda house: WebSocketLine(f"ws://127.0.0.1:{house.port}/v1/rt"),
    "socketio": lambda house: SocketIoLine(house.url),
    "poll": lambda house: PollLine(house.url),
    "events": lambda house: EventsLine(house.url),
}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as house:
        yield house


class Visitor(Client):
    """Keeps what it heard."""

    def __init__(self, house: House, kind: str, **options: Any) -> None:
        super().__init__(lambda: LINES[kind](house), longest_pause=1.0, **options)
        self.frames: list[dict[str, Any]] = []
        self.came = asyncio.Event()
        self.on_frame = self._keep

    def _keep(self, frame: dict[str, Any]) -> None:
        self.frames.append(frame)
        self.came.set()

    async def until(self, fact: Callable[[], object], seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while not fact():
                self.came.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await self.came.wait()

    @property
    def answers(self) -> list[int]:
        return [f["event"]["seq"] for f in self.frames if "message_end" in f.get("event", {})]


@asynccontextmanager
async def living(visitor: Visitor) -> AsyncIterator[Visitor]:
    task = asyncio.create_task(visitor.live())
    try:
        yield visitor
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.slow
@pytest.mark.parametrize("kind", LINES)
async def test_it_is_answered_cut_and_resumed(house: House, kind: str) -> None:
    async with living(Visitor(house, kind)) as visitor:
        first = await visitor.say(ZH)  # before it is connected: it waits in the outbox
        await visitor.until(lambda: visitor.answers == [2])
        assert first not in visitor.outbox
        await asyncio.to_thread(house.stop, "all")
        second = await visitor.say(EN)
        assert second in visitor.outbox
        house.start("all")
        await asyncio.to_thread(house.wait_ready)
        await visitor.until(lambda: visitor.answers == [2, 4])
        assert (visitor.outbox, visitor.reloads, visitor.seq) == ({}, 0, 4)
    async with living(Visitor(house, kind, token=visitor.token)) as back:
        await back.until(lambda: back.answers == [2, 4])
        texts = [f["event"]["message"]["text"] for f in back.frames if "message" in f.get("event", {})]
        assert texts == [ZH, EN]


@pytest.mark.parametrize("kind", LINES)
async def test_it_does_not_come_back_where_it_is_not_wanted(house: House, kind: str) -> None:
    with pytest.raises(Refused):
        async with asyncio.timeout(10):
            await Visitor(house, kind, token="nonsense").live()


@pytest.mark.parametrize("kind", LINES)
async def test_what_can_never_be_taken_is_told_and_leaves_the_outbox(house: House, kind: str) -> None:
    async with living(Visitor(house, kind)) as visitor:
        client_msg_id = await visitor.say("长" * 9_000)
        await visitor.until(lambda: client_msg_id in visitor.refused)
        assert visitor.outbox == {}
        for name, fields in (("typing", {}), ("read", {"seq": 1}), ("stop", {})):
            await visitor.signal(name, **fields)
        await visitor.say(ZH)
        await visitor.until(lambda: visitor.answers == [2])
