"""`parley dead` on a real broker: list, show, replay and drop, one, by filter, and only to see."""

import asyncio

import pytest
from click.testing import CliRunner, Result

from parley.bus import Bus
from parley.bus.dead_letters import park
from parley.bus.open import open_bus
from parley.bus.queues import DEAD
from parley.cli.dead import dead
from tests.contract.bus.conftest import a_queue
from tests.contract.bus.reading import Reader, said, to

pytestmark = pytest.mark.connected


async def parley_dead(url: str, *arguments: str) -> Result:
    """The command in this process; it has a loop of its own, hence a thread of its own."""
    return await asyncio.to_thread(CliRunner().invoke, dead, arguments, env={"PARLEY_BUS_URL": url})


async def park_all(bus: Bus, *causes: str) -> None:
    queue = a_queue("poison")
    await bus.apply_topology([DEAD, queue])
    reader = Reader(settles=False)
    async with bus.subscribe(queue, reader.take):
        for number, cause in enumerate(causes):
            await bus.publish(to("poison"), said(f"第{number}封"))
            await reader.has(number + 1)
            delivery = reader.deliveries[number]
            await park(bus, queue, delivery, cause=cause, attempts=5, service="suite")
            delivery.settle()


async def test_letters_are_listed_shown_replayed_and_dropped(bus_url: str) -> None:
    async with open_bus(bus_url, service="suite", replica="r1") as bus:
        await park_all(bus, "Reject: 不是图片", "ModelTimeout: 10 s", "ModelTimeout: 12 s")
        letters = {parked.letter.cause: parked.letter_id for parked in await bus.dead_letters()}
        listed = await parley_dead(bus_url, "list", "--cause", "modeltimeout")
        assert [line.split()[0] for line in listed.output.splitlines()] == [*letters.values()][1:]
        shown = await parley_dead(bus_url, "show", letters["Reject: 不是图片"])
        assert "attempts: 5" in shown.output
        assert "Reject: 不是图片" in shown.output

        unsure = await parley_dead(bus_url, "replay", "--cause", "ModelTimeout", "--dry-run")
        assert unsure.output.count("would be replayed") == 2
        assert len(await bus.dead_letters()) == 3, "a dry run changes nothing"
        replayed = await parley_dead(bus_url, "replay", "--cause", "ModelTimeout")
        assert replayed.output.count("is replayed") == 2
        again = Reader()
        async with bus.subscribe(a_queue("poison"), again.take):
            await again.has(2)
        assert [delivery.event.text for delivery in again.deliveries] == ["第1封", "第2封"]  # type: ignore[union-attr]  # both are messages

        dropped = await parley_dead(bus_url, "drop", letters["Reject: 不是图片"])
        assert dropped.exit_code == 0, dropped.output
        assert await bus.dead_letters() == []


@pytest.mark.parametrize("command", ["replay", "drop"])
async def test_nothing_is_done_to_letters_that_nobody_named(bus_url: str, command: str) -> None:
    async with open_bus(bus_url, service="suite", replica="r1") as bus:
        await park_all(bus, "Reject: 不是图片")
        refused = await parley_dead(bus_url, command)
        assert refused.exit_code == 2
        assert "which letters?" in refused.output
        unknown = await parley_dead(bus_url, command, "evt_nobody")
        assert "there is no dead letter evt_nobody" in unknown.output
        none = await parley_dead(bus_url, command, "--queue", "elsewhere")
        assert "no dead letter is like that" in none.output
        assert len(await bus.dead_letters()) == 1
