"""`parley cost`: what models have cost, and what was saved."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime

import click

from parley.cli.asking import CALL_SECONDS, ask
from parley.contracts.v1 import CostLine, CostsRequest, CostsResponse, EngineStub, Money

BY = ("conversation", "contact", "channel", "model", "day")
DAY = 86_400


@click.command()
@click.option("--by", type=click.Choice(BY), default="day", show_default=True)
@click.option("--tenant", default="demo", show_default=True)
@click.option("--since", metavar="DAY", help="From this day on (UTC), like 2026-01-31; 30 days ago by default.")
@click.option("--until", metavar="DAY", help="Up to the end of this day.")
@click.option("--conversation", "session_id", default="", help="Only this conversation.")
@click.option("--contact", "contact_id", default="", help="Only this contact.")
@click.option("--channel", default="", help="Only this channel.")
@click.option("--model", default="", help="Only this model.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
def cost(
    by: str,
    tenant: str,
    since: str | None,
    until: str | None,
    session_id: str,
    contact_id: str,
    channel: str,
    model: str,
    limit: int,
) -> None:
    """What models have cost, and what the cache, shared calls and small models have saved."""
    request = CostsRequest(tenant_id=tenant, by=by, limit=limit)
    request.session_id, request.contact_id, request.channel, request.model = session_id, contact_id, channel, model
    request.since.FromSeconds(_seconds(since) if since else int(time.time()) - 30 * DAY)
    if until:
        request.until.FromSeconds(_seconds(until) + DAY)
    found: CostsResponse = ask("ai-engine", lambda channel: EngineStub(channel).Costs(request, timeout=CALL_SECONDS))
    for line in told(found, by):
        click.echo(line)


def told(found: CostsResponse, by: str) -> Iterator[str]:
    """The answer in lines: a row for each key, then all of them together, then what was saved."""
    if not found.total.calls and not found.total.saved:
        yield "no model was asked in this time"
        return
    yield f"{by:32} {'calls':>7} {'in':>10} {'cached':>9} {'out':>9}  cost"
    for line in found.lines:
        yield _row(line.key or "-", line)
    yield _row("all", found.total)
    for saving in found.total.saved:
        amounts = _money(saving.amounts) or "no price known"
        yield f"saved by {saving.by.replace('_', ' ')}: {saving.calls} calls, {amounts}"
    if found.total.estimated_calls:
        yield f"{found.total.estimated_calls} calls broke off or told no usage: theirs is estimated"
    if found.total.unpriced_calls:
        yield f"{found.total.unpriced_calls} calls have no price: name one in the file PARLEY_AI_ENGINE_PRICES"


def _row(name: str, line: CostLine) -> str:
    counts = f"{line.calls:7} {line.input_tokens:10} {line.cached_tokens:9} {line.output_tokens:9}"
    return f"{name:32} {counts}  {_money(line.amounts) or '-'}"


def _money(amounts: Iterable[Money]) -> str:
    return ", ".join(f"{one.amount} {one.currency}" for one in amounts)


def _seconds(day: str) -> int:
    try:
        return int(datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC).timestamp())
    except ValueError:
        raise click.BadParameter(f"{day} is no day; expected one like 2026-01-31") from None
