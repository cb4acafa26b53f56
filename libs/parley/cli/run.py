"""`parley run` and `parley list`."""

import gc
import sys

import click

from parley.cli.asking import GatewayAddress
from parley.core import Settings
from parley.core.settings import PlaceSettings
from parley.service.registry import load, registered
from parley.service.run import run as run_services


class _Model(Settings):
    llm_url: str = ""


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…|all")
def run(names: tuple[str, ...]) -> None:
    """Run services in this process until Ctrl-C or SIGTERM."""
    settings = PlaceSettings.load()
    gc.disable()  # nothing is worth collecting while modules load; it is on again once everything runs
    services = load(list(names))
    visible = any(service.name == "gateway" for service in services)
    sys.exit(run_services(services, settings, _announce if visible else None))


def _announce() -> None:
    """Where to go, once everything is ready."""
    click.echo(f"Parley is ready: http://localhost:{GatewayAddress.load().gateway_port}/   (Ctrl-C ends it)")
    if not _Model.load().llm_url:
        click.echo(
            "It quotes your handbook. For answers in its own words: PARLEY_LLM_URL=… PARLEY_LLM_MODEL=… make run"
        )


@click.command("list")
def list_services() -> None:
    """The services that are installed, and what each of them reads."""
    for name, entry in sorted(registered().items()):
        service = entry.load()
        handles = [c.observes[1].__name__ if c.observes else c.handler.__name__ for c in service.consumptions]
        click.echo(f"{name:16} {entry.value:44} {', '.join(handles)}")
