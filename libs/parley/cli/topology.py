"""`parley topology`: the broker's exchanges and queues."""

import sys

import click

from parley.bus import Event
from parley.bus.queues import EXCHANGES, Queue, durable_queues
from parley.cli.asking import with_bus
from parley.core.settings import PlaceSettings
from parley.service.registry import load


def _queues(names: tuple[str, ...] = ()) -> list[Queue[Event]]:
    services = load(list(names) or ["all"])
    return [*durable_queues(PlaceSettings.load().shards), *(q for s in services for q in s.durable_queues())]


@click.group()
def topology() -> None:
    """Exchanges, queues and bindings: apply once per installation or release, checked at every start."""


@topology.command()
@click.argument("services", nargs=-1)
def apply(services: tuple[str, ...]) -> None:
    """Declare what is missing (for SERVICES, by default all). Says what differs and changes nothing of it."""
    made = with_bus(lambda bus: bus.apply_topology(_queues(services)))
    for line in made:
        click.echo(line)
    click.echo(f"{len(made)} made; the topology is complete")


@topology.command()
def check() -> None:
    """Compare the broker with what this release needs; exit code 1 when something is missing or differs."""
    problems = with_bus(lambda bus: bus.check_topology(_queues()))
    for problem in problems:
        click.echo(problem)
    click.echo("the topology is complete" if not problems else f"{len(problems)} to mend")
    sys.exit(1 if problems else 0)


@topology.command()
def show() -> None:
    """What this release declares, without asking the broker."""
    for exchange in EXCHANGES:
        click.echo(f"exchange {exchange.name} (topic)")
    for queue in _queues():
        bindings = ", ".join(f"{b.exchange.name}:{b.key}" for b in queue.bindings)
        click.echo(f"queue {queue.name:28} {queue.kind.value:6} <- {bindings}")
