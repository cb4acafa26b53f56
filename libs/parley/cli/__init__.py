"""`parley`: run the services, look at what they do, act where a person must."""

from importlib.metadata import entry_points

import click

from parley.cli import agent, cost, dead, doctor, keys, new_service, run, sessions, sites, topology, trace
from parley.core import ParleyError

GROUP = "parley.commands"  # entry points: a service brings its own commands


class _Plain(click.Group):
    """Errors of ours are sentences, not tracebacks. Commands of services are found by their entry points."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Ours and theirs."""
        return sorted({*super().list_commands(ctx), *entry_points(group=GROUP).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of theirs is imported only when it is called."""
        ours = super().get_command(ctx, cmd_name)
        if ours is not None or cmd_name not in entry_points(group=GROUP).names:
            return ours
        found = entry_points(group=GROUP)[cmd_name].load()
        return found if isinstance(found, click.Command) else None

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; exit code 2 for what the caller can mend."""
        try:
            return super().invoke(ctx)
        except ParleyError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Plain, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="parley")
def main() -> None:
    """Open, self-hosted customer service in which AI engines and people answer together."""


for command in (
    run.run,
    run.list_services,
    topology.topology,
    sessions.sessions,
    sessions.session,
    agent.agent,
    keys.keys,
    sites.sites,
    trace.trace,
    cost.cost,
    dead.dead,
    doctor.doctor,
    new_service.new_service,
):
    main.add_command(command)
