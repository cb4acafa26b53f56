"""`parley doctor`: what is missing or does not answer, and the one command or setting that mends it."""

import asyncio
import shutil
import socket
import sys
from collections.abc import Callable
from importlib.metadata import entry_points

import click

from parley.bus.open import open_bus
from parley.cli.asking import GatewayAddress
from parley.core import ParleyError
from parley.core.settings import PlaceSettings
from parley.database import open_database
from parley.service.registry import load

PATIENCE = 5.0
GROUP = "parley.checks"  # entry points: what a service checks, a function that gives a line or raises ParleyError


@click.command()
def doctor() -> None:
    """Check settings, parts and tools; exit code 1 when something that is needed is not there."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("settings", _settings),
        ("services", _services),
        ("home", _home),
        ("bus", _bus),
        ("database", _database),
        ("port", _port),
        *((found.name, lambda found=found: str(found.load()())) for found in entry_points(group=GROUP)),
        ("test tools", _tools),
    ]
    failed = False
    for name, check in checks:
        try:
            click.echo(f"ok       {name:12} {check()}")
        except (ParleyError, OSError, TimeoutError) as error:
            failed = True
            click.echo(f"problem  {name:12} {error or type(error).__name__}")
    sys.exit(1 if failed else 0)


def _settings() -> str:
    settings = PlaceSettings.load()
    return f"PARLEY_HOME={settings.home}, {settings.shards} shards"


def _services() -> str:
    return ", ".join(service.name for service in load(["all"]))


def _home() -> str:
    home = PlaceSettings.load().home
    home.mkdir(parents=True, exist_ok=True)
    probe = home / ".doctor"
    probe.write_text("ok")
    probe.unlink()
    return f"{home.absolute()} can be written"


def _bus() -> str:
    url = PlaceSettings.load().bus_url
    if url.startswith("memory:"):
        return "in memory, inside `parley run`"

    async def check() -> str:
        async with asyncio.timeout(PATIENCE), open_bus(url, service="doctor", replica="doctor") as bus:
            return "the broker answers" if bus.connected else "not connected"

    return asyncio.run(check())


def _database() -> str:
    async def check() -> str:
        async with asyncio.timeout(PATIENCE), open_database(PlaceSettings.load().database()) as database:
            await database.ping()
            return "answers"

    return asyncio.run(check())


def _port() -> str:
    port = GatewayAddress.load().gateway_port
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return f"{port} is in use; if that is not Parley, set PARLEY_GATEWAY_PORT"
    return f"{port} is free"


def _tools() -> str:
    wanted = {"rabbitmq-server": "RabbitMQ", "java": "the MongoDB-protocol server", "chromium": "browser tests"}
    missing = [f"{tool} ({why})" for tool, why in wanted.items() if not shutil.which(tool)]
    if missing:
        return f"only for `make test`, which installs them: {', '.join(missing)}"
    return "everything that `make test` needs is there"
