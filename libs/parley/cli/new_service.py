"""`parley new-service NAME`: a folder that runs, is tested and is registered."""

from pathlib import Path

import click

from parley.cli.scaffold import ServiceName, create_service

NEXT = """
Next:
  1. make test-fast    installs it and runs all quick tests; its own are in tests/unit/{snake}
  2. make run          runs it with the others; `parley list` shows it
  3. edit services/{snake}/{package}/service.py; CONTRIBUTING.md, "Add a service", goes on from here
With RabbitMQ, `parley topology apply` makes its queue before it starts."""


@click.command("new-service")
@click.argument("name")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="the checkout of Parley")
def new_service(name: str, root: Path) -> None:
    """Make a service called NAME, such as order-status: a folder, a test, a line in pyproject.toml."""
    wanted = ServiceName.parse(name)
    for path in create_service(root, wanted):
        click.echo(f"made {path}")
    click.echo(NEXT.format(name=wanted.kebab, snake=wanted.snake, package=wanted.package))
