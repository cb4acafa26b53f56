"""What the gateway does while nobody asks it to."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from parley.contracts.v1 import StreamAttached
from parley_gateway.realtime.crowd import Crowd
from parley_gateway.service import Deps, watch
from tests.unit.gateway.a_desk import AtDesk, a_client, a_delivery, a_desk


class Reading:
    """A subscription whose queue can go."""

    def __init__(self) -> None:
        self.there = True
        self.looks = 0

    @property
    def consuming(self) -> bool:
        self.looks += 1
        return self.there


def _looked(reading: Reading, times: int) -> bool:
    return reading.looks > times


def _told(at: AtDesk, times: int) -> bool:
    return len(at.of(StreamAttached)) == times


async def test_when_our_queue_was_gone_the_router_hears_anew_what_is_shown_here(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as at:
        client, reading = await a_client(at), Reading()
        await at.until(lambda: len(at.of(StreamAttached)) == 1)
        ctx: Any = replace(at.desk.ctx, deps=Deps(at.desk.settings, at.desk, Crowd(at.desk)))
        watching = asyncio.create_task(watch(ctx, cast(Any, reading), every=0.001))
        for times in (2, 3):
            reading.there, seen = False, reading.looks
            at.router.store("您好", "在吗")  # nobody can tell us now
            await at.until(partial(_looked, reading, seen + 1))
            assert len(at.of(StreamAttached)) == times - 1
            reading.there = True  # made again, under the same id
            await at.until(partial(_told, at, times))
        at.desk.streams.deliver(a_delivery(head=4))  # how the router answers
        await client.until(4, "event")
        assert client.seqs() == [1, 2, 3, 4]
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
