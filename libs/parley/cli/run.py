"""`parley run` and `parley list`."""

import sys

import click

from parley.core.settings import PlaceSettings
from parley.service.registry import load, registered
from parley.service.run import run as run_services


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…|all")
def run(names: tuple[str, ...]) -> None:
    """Run services in this process until Ctrl-C or SIGTERM."""
    settings = PlaceSettings.load()
    services = load(list(names))
    if settings.demo:
        click.echo(f"Parley is starting: {', '.join(service.name for service in services)}", err=True)
    sys.exit(run_services(services, settings))


@click.command("list")
def list_services() -> None:
    """The services that are installed, and what each of them reads."""
    for name, entry in sorted(registered().items()):
        service = entry.load()
        handles = [c.observes[1].__name__ if c.observes else c.handler.__name__ for c in service.consumptions]
        click.echo(f"{name:16} {entry.value:44} {', '.join(handles)}")
