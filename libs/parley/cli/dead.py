"""`parley dead`: events that could not be handled, and what to do about them."""

import click

from parley.bus import Bus, ParkedLetter
from parley.bus.dead_letters import replay as replay_letter
from parley.cli.asking import with_bus


@click.group()
def dead() -> None:
    """Dead letters: parked with their cause, readable, replayed or dropped one by one."""


@dead.command("list")
@click.option("--limit", default=100, show_default=True)
def list_letters(limit: int) -> None:
    """What is parked, oldest first."""
    letters = with_bus(lambda bus: bus.dead_letters(limit))
    for parked in letters:
        click.echo(_line(parked))
    if not letters:
        click.echo("nothing is parked", err=True)


@dead.command()
@click.argument("letter_id")
def show(letter_id: str) -> None:
    """One letter with its event."""
    parked = with_bus(lambda bus: _find(bus, letter_id))
    click.echo(_line(parked))
    click.echo(str(parked.letter))


@dead.command()
@click.argument("letter_id")
def replay(letter_id: str) -> None:
    """Publish it again to where it came from; it has its effect once."""

    async def work(bus: Bus) -> None:
        await replay_letter(bus, await _find(bus, letter_id))

    with_bus(work)
    click.echo(f"{letter_id} is replayed")


@dead.command()
@click.argument("letter_id")
def drop(letter_id: str) -> None:
    """Throw it away."""
    gone = with_bus(lambda bus: bus.take_dead_letter(letter_id))
    click.echo(f"{letter_id} is dropped" if gone else f"{letter_id} was gone already")


async def _find(bus: Bus, letter_id: str) -> ParkedLetter:
    found = next((parked for parked in await bus.dead_letters(10_000) if parked.letter_id == letter_id), None)
    if found is None:
        raise click.ClickException(f"there is no dead letter {letter_id}; see `parley dead list`")
    return found


def _line(parked: ParkedLetter) -> str:
    letter = parked.letter
    when = letter.parked_at.ToJsonString()[:19] if letter.HasField("parked_at") else "-"
    return f"{parked.letter_id:24} {when} {letter.queue:24} {letter.event.type or 'unreadable':20} {letter.cause[:80]}"
