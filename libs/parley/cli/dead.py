"""`parley dead`: events that could not be handled, and what to do about them, one by one or many at once."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import click

from parley.bus import Bus, ParkedLetter
from parley.bus.dead_letters import replay as replay_letter
from parley.cli.asking import with_bus
from parley.core import ParleyError

LOOKED_AT = 10_000  # letters, oldest first


@dataclass(frozen=True)
class Wanted:
    """Which letters are meant: by id, or all that a filter lets through."""

    ids: tuple[str, ...] = ()
    queue: str = ""
    service: str = ""
    event_type: str = ""
    cause: str = ""

    def has(self, parked: ParkedLetter) -> bool:
        """Whether this one is. Words of a filter must all hold; a cause need only be part of it."""
        letter = parked.letter
        return (
            (not self.ids or parked.letter_id in self.ids)
            and self.queue in ("", letter.queue)
            and self.service in ("", letter.service)
            and self.event_type in ("", letter.event.type)
            and self.cause.lower() in letter.cause.lower()
        )

    @property
    def anything(self) -> bool:
        """Whether it names nothing at all."""
        return self == Wanted()


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    for option, words in (
        ("--queue", "Parked from this queue."),
        ("--service", "Parked by this service."),
        ("--type", "Events of this type, like MessageReceived."),
        ("--cause", "Whose cause contains this."),
    ):
        name = "event_type" if option == "--type" else option[2:]
        command = click.option(option, name, default="", help=words)(command)
    return command


@click.group()
def dead() -> None:
    """Dead letters: parked with their cause, readable, replayed or dropped, one by one or by filter."""


@dead.command("list")
@click.option("--limit", default=100, show_default=True)
@_filters
def list_letters(limit: int, **words: str) -> None:
    """What is parked, oldest first."""
    letters = [
        parked for parked in with_bus(lambda bus: bus.dead_letters(LOOKED_AT)) if Wanted((), **words).has(parked)
    ]
    for parked in letters[:limit]:
        click.echo(_line(parked))
    if not letters:
        click.echo("nothing is parked", err=True)
    elif len(letters) > limit:
        click.echo(f"and {len(letters) - limit} more; see --limit", err=True)


@dead.command()
@click.argument("letter_id")
def show(letter_id: str) -> None:
    """One letter with its event."""
    (parked,) = with_bus(lambda bus: _chosen(bus, Wanted((letter_id,))))
    letter = parked.letter
    click.echo(_line(parked))
    click.echo(f"attempts: {letter.attempts}\ntrace:    {letter.meta.traceparent or 'none'}\ncause:    {letter.cause}")
    click.echo(str(letter))


@dead.command()
@click.argument("letter_ids", nargs=-1)
@_filters
@click.option("--dry-run", is_flag=True, help="Only say which letters are meant.")
def replay(letter_ids: tuple[str, ...], dry_run: bool, **words: str) -> None:
    """Publish letters again to where they came from, oldest first; each has its effect once."""
    _each(Wanted(letter_ids, **words), replay_letter, "replayed", dry_run=dry_run)


@dead.command()
@click.argument("letter_ids", nargs=-1)
@_filters
@click.option("--dry-run", is_flag=True, help="Only say which letters are meant.")
def drop(letter_ids: tuple[str, ...], dry_run: bool, **words: str) -> None:
    """Throw letters away."""
    _each(Wanted(letter_ids, **words), _drop, "dropped", dry_run=dry_run)


def _each(
    wanted: Wanted, act: Callable[[Bus, ParkedLetter], Coroutine[Any, Any, None]], done: str, *, dry_run: bool
) -> None:
    """Act on each letter that is meant; one that fails is named, and the others go on."""
    if wanted.anything:
        raise click.UsageError("which letters? Name ids (see `parley dead list`) or a filter like --queue or --cause")

    async def work(bus: Bus) -> int:
        failed = 0
        for parked in await _chosen(bus, wanted):
            try:
                if not dry_run:
                    await act(bus, parked)
                click.echo(f"{parked.letter_id} {'would be' if dry_run else 'is'} {done}")
            except ParleyError as error:
                failed += 1
                click.echo(f"{parked.letter_id} is not {done}: {error}", err=True)
        return failed

    if with_bus(work):
        raise SystemExit(1)


async def _drop(bus: Bus, parked: ParkedLetter) -> None:
    await bus.take_dead_letter(parked.letter_id)


async def _chosen(bus: Bus, wanted: Wanted) -> list[ParkedLetter]:
    """The letters that are meant. Raises ClickException for an id that there is not, and when nothing is meant."""
    found = [parked for parked in await bus.dead_letters(LOOKED_AT) if wanted.has(parked)]
    missing = set(wanted.ids) - {parked.letter_id for parked in found}
    if missing:
        raise click.ClickException(f"there is no dead letter {', '.join(sorted(missing))}; see `parley dead list`")
    if not found:
        raise click.ClickException("no dead letter is like that; see `parley dead list`")
    return found


def _line(parked: ParkedLetter) -> str:
    letter = parked.letter
    when = letter.parked_at.ToJsonString()[:19] if letter.HasField("parked_at") else "-"
    return f"{parked.letter_id:24} {when} {letter.queue:24} {letter.event.type or 'unreadable':20} {letter.cause[:80]}"
