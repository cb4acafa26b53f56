"""What all commands of `knowledge-cli` share: options, how they reach knowledge and end, and how they print."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import click
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from parley.core import ParleyError, SettingsError, Unavailable
from parley.core.settings import PlaceSettings
from parley_knowledge.reach import Knowledge, reach
from parley_knowledge.settings import DEMO_TENANT

PARTLY: Final = 1
WRONG: Final = 2
NOBODY: Final = 3
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

Command = Callable[..., Any]


def shared(command: Command) -> Command:
    """The options that every command has."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")(command)
    command = click.option("--offline", is_flag=True, help="Use the database itself; needs no running service.")(
        command
    )
    return click.option("--tenant", default=DEMO_TENANT, show_default=True, help="Whose knowledge.")(command)


def run(work: Callable[[Knowledge], Awaitable[Any]], *, offline: bool) -> Any:
    """Do the work, or end with a sentence that says what to do."""

    async def reached() -> Any:
        try:
            async with reach(PlaceSettings.load(), offline=offline) as knowledge:
                return await work(knowledge)
        except BaseExceptionGroup as group:  # of documents that were on their way together
            raise _first(group) from None

    try:
        return asyncio.run(reached())
    except KeyboardInterrupt:
        err.print("stopped; what is live is as it was, and the same command begins again")
        sys.exit(130)
    except ParleyError as error:
        err.print(escape(str(error)))
        sys.exit(NOBODY if isinstance(error, Unavailable) else WRONG if isinstance(error, SettingsError) else PARTLY)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def progress(*, shown: bool) -> Progress:
    """A bar on a terminal, nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True, disable=not (shown and err.is_terminal))


def print_json(value: object) -> None:
    """One JSON value; Chinese as it is written."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def as_dict(message: Any) -> dict[str, Any]:
    """A message of the contracts with all its fields."""
    found: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return found
